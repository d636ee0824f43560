'use strict';

const errors = require('./errors.js');
const { Engine, Stack } = require('./engine.js');
const { Digits, digits } = require('./json.js');
const { HIDDEN, UNKNOWN } = require('./markers.js');
const { Plan } = require('./plan.js');
const { CannotTell, NeverReady, Planned, defineDataSource, defineFunction, defineResource } = require('./resource.js');
const { Report, Run } = require('./run.js');
const { s } = require('./schema.js');
const { Expression, Template, expression, literal } = require('./template.js');

const { errorFromData, errorToData, diagnosticFromData, unwrap, unnamed, ...classes } = errors;

module.exports = {
  ...classes,
  CannotTell, NeverReady, Planned, defineDataSource, defineFunction, defineResource,
  Engine, Stack, Plan, Run, Report,
  Expression, Template, expression, literal,
  Digits, HIDDEN, UNKNOWN, digits, s,
};
