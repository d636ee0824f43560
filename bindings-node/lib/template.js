'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { inspect } = require('node:util');
const json = require('./json.js');
const { named } = require('./schema.js');

const NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/;
const TEXT = Symbol('text');
const ADDRESS = Symbol('address');

/**
 * Something that is only known when the template is evaluated, such as `vpc.id`. Its properties and items are expressions
 * too. It stands wherever a value can, and in texts: `` `http://${server.ip}:80` ``.
 */
class Expression {
  constructor(text, address) {
    this[TEXT] = text;
    this[ADDRESS] = address;
    return new Proxy(this, HANDLER);
  }

  toString() {
    return `\${${this[TEXT]}}`;
  }
}

const HANDLER = {
  get(target, name) {
    if (name === TEXT || name === ADDRESS) return target[name];
    if (name === Symbol.toPrimitive || name === 'toString' || name === 'toJSON') return () => `\${${target[TEXT]}}`;
    if (name === inspect.custom) return () => `<Expression ${target[TEXT]}>`;
    if (name === Symbol.toStringTag) return 'Expression';
    // A promise is recognised by `then`; an expression is none.
    if (name === 'then' || name === 'constructor') return name === 'then' ? undefined : Expression;
    if (typeof name === 'symbol') return undefined;
    if (name === '*') return new Expression(`${target[TEXT]}[*]`);
    const text = /^(0|[1-9][0-9]*)$/.test(name) ? `${target[TEXT]}[${name}]` : NAME.test(name) ? `${target[TEXT]}.${name}` : `${target[TEXT]}[${JSON.stringify(name)}]`;
    return new Expression(text);
  },
  set() {
    throw new TypeError('an expression cannot be changed');
  },
  has: () => false,
};

/** Returns an expression from its text: `expression('upper(var.name)')`. */
function expression(text) {
  return new Expression(text);
}

/** Returns a text in which `${` and `%{` mean themselves. */
function literal(text) {
  return text.replace(/[$%](?=\{)/g, (sign) => sign + sign);
}

function plain(value) {
  return json.parse(json.stringify(value));
}

/** What is wanted. Strings of JavaScript data are templates themselves; `literal` keeps a string as it is. */
class Template {
  #files = {};
  #folder;
  #data = {};

  /** Returns the template of a folder with `.tf`, `.tf.json` or YAML files, or of a single file. */
  static fromPath(place) {
    const template = new Template();
    const given = place instanceof URL ? require('node:url').fileURLToPath(place) : place;
    if (fs.statSync(given, { throwIfNoEntry: false })?.isFile()) template.#files[path.basename(given)] = fs.readFileSync(given, 'utf8');
    else template.#folder = given;
    return template;
  }

  /** Returns the template of a text; the name says how it is written (`main.tf`, `main.tf.json`, `main.yaml`). */
  static fromText(text, { name = 'main.tf' } = {}) {
    return Template.fromFiles({ [name]: text });
  }

  /** Returns the template of texts by name; those in folders are modules: `net/main.tf`. */
  static fromFiles(files) {
    const template = new Template();
    template.#files = { ...files };
    return template;
  }

  /** Returns the template of data in the shape of Terraform's JSON: `{ resource: { type: { name: { … } } } }`. */
  static fromObject(data) {
    const template = new Template();
    template.#data = plain(data);
    return template;
  }

  /** Adds a resource, and returns what refers to it. */
  resource(type, name, properties = {}) {
    return this.#add(['resource', type, name], `${type}.${name}`, properties);
  }

  /** Adds a data source, and returns what refers to it. */
  data(type, name, properties = {}) {
    return this.#add(['data', type, name], `data.${type}.${name}`, properties);
  }

  /** Adds a call of a module, and returns what refers to its outputs. */
  module(name, properties) {
    return this.#add(['module', name], `module.${name}`, properties);
  }

  /** Adds a variable (`type`, `default`, `description`, `sensitive`), and returns what refers to it. */
  variable(name, properties = {}) {
    return this.#add(['variable', name], `var.${name}`, properties);
  }

  /** Adds a local value, and returns what refers to it. */
  local(name, value) {
    checkName(name);
    (this.#data.locals ??= {})[name] = plain(value);
    return new Expression(`local.${name}`, `local.${name}`);
  }

  /** Adds an output. */
  output(name, value, properties = {}) {
    this.#add(['output', name], `output.${name}`, { value, ...properties });
  }

  /** Configures a provider. */
  provider(name, properties = {}) {
    (this.#data.provider ??= {})[name] = plain(properties);
  }

  #add(where, address, properties) {
    const name = where.at(-1);
    checkName(name);
    let place = this.#data;
    for (const step of where.slice(0, -1)) place = place[step] ??= {};
    if (Object.hasOwn(place, name)) throw new Error(`the template has \`${address}\` already`);
    const block = { ...properties };
    if (Array.isArray(block.depends_on)) block.depends_on = block.depends_on.map((each) => each?.[ADDRESS] ?? each);
    place[name] = plain(block);
    return new Expression(address, address);
  }

  /** Returns what was built, in the shape of Terraform's JSON. */
  toJSON() {
    return structuredClone(this.#data);
  }

  /** @internal */
  query() {
    const files = { ...this.#files };
    if (Object.keys(this.#data).length > 0) files['stackwright.tf.json'] = json.stringify(this.#data);
    return { files, ...(this.#folder === undefined ? {} : { folder: this.#folder }) };
  }
}

function checkName(name) {
  if (!NAME.test(name)) throw new TypeError(`\`${name}\` is no name: letters, digits, \`_\` and \`-\`, the first of them no digit`);
}

/** Returns the template that somebody means: one, a folder or file, or data. */
function templateOf(given) {
  if (given instanceof Template) return given;
  if (given instanceof URL) return Template.fromPath(given);
  if (typeof given === 'string') {
    if (given.includes('\n') || given.includes('{')) throw new TypeError('a string is taken as a path; use Template.fromText for the text of a template');
    return Template.fromPath(given);
  }
  if (given !== null && typeof given === 'object') return Template.fromObject(given);
  throw new TypeError(`a template is required, not ${named(given)}`);
}

module.exports = { Expression, Template, expression, literal, templateOf };
