'use strict';

// What attributes a type has: written with `s`, or taken from any library that speaks Standard Schema (zod, valibot).

const { Digits, digits } = require('./json.js');
const { UNKNOWN } = require('./markers.js');

/** A verb returned, or a template gave, something of another shape. `path` says where. */
class Mismatch extends Error {
  constructor(wanted, given, path = '') {
    super(`${path === '' ? '' : `${path.replace(/^\./, '')}: `}${wanted} is required, not ${named(given)}`);
    this.name = 'Mismatch';
    Object.assign(this, { wanted, given, path });
  }

  within(step) {
    return new Mismatch(this.wanted, this.given, `${step}${this.path}`);
  }
}

/** Names what was given by its kind alone: it may be a secret. */
function named(value) {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return value.constructor?.name ? `a ${value.constructor.name}` : 'an object';
  return `a ${typeof value}`;
}

function within(step, run) {
  try {
    return run();
  } catch (error) {
    throw error instanceof Mismatch ? error.within(step) : error;
  }
}

/** One type of values: how the engine calls it, and how values go over. `load` comes from the engine, `dump` goes there. */
class Codec {
  constructor(wire, load, dump, parts = {}) {
    // `parts`: the fields of an object, or the codec of elements.
    Object.assign(this, { wire, load, dump, ...parts });
  }
}

const same = (value) => value;
const wanting = (wanted, fits, change = same) => (value) => {
  if (!fits(value)) throw new Mismatch(wanted, value);
  return change(value);
};

const isPlain = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
const isNumeric = (value) => typeof value === 'bigint' || value instanceof Digits || (typeof value === 'number' && Number.isFinite(value));

const STRING = new Codec('string', same, wanting('a string', (value) => typeof value === 'string' || value instanceof Date || value instanceof URL, (value) =>
  value instanceof Date ? value.toISOString() : String(value)));
const BOOL = new Codec('bool', same, wanting('a boolean', (value) => typeof value === 'boolean'));
const NUMBER = new Codec('number', wanting('a number that JavaScript can hold (declare s.bigint() or s.decimal())', (value) => typeof value === 'number'), wanting('a number', isNumeric));
const BIGINT = new Codec('number', wanting('a whole number', (value) => typeof value === 'bigint' || Number.isInteger(value), BigInt), wanting('a bigint', (value) => typeof value === 'bigint' || Number.isSafeInteger(value)));
const DECIMAL = new Codec('number', String, wanting('the text of a decimal number', (value) => typeof value === 'string' || isNumeric(value), (value) => (typeof value === 'string' ? digits(value) : value)));
const ANY = new Codec('dynamic', same, same);

const nullable = (run) => (value) => (value === null || value === undefined ? null : run(value));
const each = (run) => (values) => values.map((value, idx) => within(`[${idx}]`, () => run(value)));

function listOf(kind, element) {
  return new Codec(
    [kind, element.wire],
    each(nullable(element.load)),
    wanting('an array', (value) => Array.isArray(value) || value instanceof Set, (value) => each(nullable(element.dump))([...value])),
    { element },
  );
}

function mapOf(element) {
  const convert = (run) => (value) =>
    Object.fromEntries(Object.entries(value).map(([key, part]) => [key, within(`[${JSON.stringify(key)}]`, () => nullable(run)(part))]));
  return new Codec(
    ['map', element.wire],
    convert(element.load),
    wanting('an object', isPlain, (value) => convert(element.dump)(value instanceof Map ? Object.fromEntries(value) : value)),
    { element },
  );
}

function objectOf(fields) {
  const wires = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.codec.wire]));
  const optional = Object.entries(fields).filter(([, field]) => field.isOptional).map(([name]) => name);
  const load = (value) =>
    Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, within(`.${name}`, () => nullable(field.codec.load)(value[name]))]));
  const dump = wanting('an object', isPlain, (value) => {
    for (const name of Object.keys(value)) {
      if (!(name in fields)) throw new Mismatch(`one of ${Object.keys(fields).join(', ')}`, value[name], `.${name}`);
    }
    return Object.fromEntries(Object.entries(fields).map(([name, field]) => {
      const part = value[name];
      if ((part === undefined || part === null) && !field.isOptional && !field.isNullable) throw new Mismatch('a value', part, `.${name}`);
      return [name, within(`.${name}`, () => nullable(field.codec.dump)(part))];
    }));
  });
  return new Codec(optional.length > 0 ? ['object', wires, optional] : ['object', wires], load, dump, { fields });
}

/** Returns a value as libraries of schemas have it: what is left out is not there, instead of null. */
function trimmed(codec, value) {
  if (value === null || value === UNKNOWN) return value;
  if (codec.fields !== undefined) return trimmedFields(codec.fields, value);
  if (codec.element === undefined) return value;
  if (Array.isArray(value)) return value.map((item) => trimmed(codec.element, item));
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, trimmed(codec.element, part)]));
}

function trimmedFields(fields, value) {
  const there = Object.entries(fields).filter(([name, { isNullable }]) => value[name] !== null || isNullable);
  return Object.fromEntries(there.map(([name, { codec }]) => [name, trimmed(codec, value[name])]));
}

/** An attribute: a type with what is said of it. Immutable; every method returns another one. */
class Field {
  constructor(codec, rest = {}) {
    Object.assign(this, { codec, isOptional: false, isNullable: false, flags: {}, checks: [], description: undefined, fallback: undefined }, rest);
    Object.freeze(this);
  }

  #with(rest) {
    return new Field(this.codec, { ...this, ...rest });
  }

  /** A template may leave it out; it is `null` then. */
  optional() {
    return this.#with({ isOptional: true });
  }

  /** It may be null. */
  nullable() {
    return this.#with({ isNullable: true });
  }

  /** What it is where a template leaves it out. */
  default(value) {
    return this.#with({ isOptional: true, fallback: value });
  }

  /** Changing it makes a new object necessary. */
  forceNew() {
    return this.#flag('forces_replacement');
  }

  /** It is never shown, and sealed where it is stored. */
  sensitive() {
    return this.#flag('sensitive');
  }

  /** The type decides where a template says nothing. */
  computed() {
    return this.#with({ isOptional: true, flags: { ...this.flags, computed: true } });
  }

  /** It reaches `create` and `update` and is not kept anywhere. */
  writeOnly() {
    return this.#flag('write_only');
  }

  /** Of a map of strings: the object bears its tags there, and the engine puts the locked ones among them. */
  takesTags() {
    return this.#flag('takes_tags');
  }

  /** What it is for. */
  describe(text) {
    return this.#with({ description: text });
  }

  /** One of these values. */
  oneOf(...values) {
    return this.#check({ one_of: values });
  }

  /** The least number, or the fewest characters or elements. */
  min(least) {
    return this.#bound({ min: least });
  }

  /** The largest number, or the most characters or elements. */
  max(most) {
    return this.#bound({ max: most });
  }

  /** A regular expression that matches it somewhere; without look-around and back references. */
  pattern(expression) {
    return this.#check({ pattern: expression instanceof RegExp ? expression.source : expression });
  }

  #flag(name) {
    return this.#with({ flags: { ...this.flags, [name]: true } });
  }

  #check(check) {
    return this.#with({ checks: [...this.checks, check] });
  }

  #bound(bound) {
    const kind = this.codec.wire === 'number' ? 'range' : 'length';
    const others = this.checks.filter((check) => !(kind in check));
    const known = this.checks.find((check) => kind in check)?.[kind] ?? {};
    return this.#with({ checks: [...others, { [kind]: { ...known, ...bound } }] });
  }

  /** Returns the attribute as the engine's schema has it. */
  attribute() {
    return {
      type: this.codec.wire,
      ...this.flags,
      ...(this.checks.length > 0 ? { checks: this.checks } : {}),
      ...(this.description ? { description: this.description } : {}),
    };
  }
}

/** Attributes of a resource type. */
const s = Object.freeze({
  string: () => new Field(STRING),
  number: () => new Field(NUMBER),
  bigint: () => new Field(BIGINT),
  decimal: () => new Field(DECIMAL),
  boolean: () => new Field(BOOL),
  any: () => new Field(ANY),
  list: (element) => new Field(listOf('list', field(element).codec)),
  set: (element) => new Field(listOf('set', field(element).codec)),
  map: (element) => new Field(mapOf(field(element).codec)),
  object: (fields) => new Field(objectOf(fieldsOf(fields))),
  enum: (...values) => new Field(typeof values[0] === 'number' ? NUMBER : STRING).oneOf(...values),
});

function field(value) {
  if (!(value instanceof Field)) throw new TypeError(`an attribute is written with \`s\`, as in s.string(), not as ${named(value)}`);
  return value;
}

function fieldsOf(fields) {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, field(value)]));
}

/** The inputs or outputs of a type. */
class Model {
  constructor(fields, validate = undefined) {
    Object.assign(this, { fields, validate });
  }

  /** Returns what a verb is handed; `UNKNOWN` stands where nobody knows yet. */
  load(attributes, unknown = new Set()) {
    const loaded = {};
    for (const [name, { codec }] of Object.entries(this.fields)) {
      const value = attributes[name];
      loaded[name] = unknown.has(name) ? UNKNOWN : value === null || value === undefined ? null : within(`.${name}`, () => codec.load(value));
    }
    return this.validate === undefined ? loaded : trimmedFields(this.fields, loaded);
  }

  /** Returns attributes of what a verb returned. */
  dump(given) {
    if (!isPlain(given)) throw new Mismatch('an object', given);
    const attributes = {};
    for (const [name, { codec, isOptional, isNullable, flags }] of Object.entries(this.fields)) {
      const value = given[name];
      if (value === undefined || value === null) {
        if (!isOptional && !isNullable && !flags.write_only) throw new Mismatch('a value', value, `.${name}`);
        attributes[name] = null;
      } else {
        attributes[name] = within(`.${name}`, () => codec.dump(value));
      }
    }
    return attributes;
  }
}

/**
 * Returns the model of fields written with `s`, or of an object schema of another library. Its structure comes from its JSON
 * Schema: the one that Standard JSON Schema gives, or the one beside it (`{ schema, jsonSchema }`).
 */
function modelOf(given, where, marks = {}) {
  if (given === undefined) return new Model({});
  const outer = given['~standard'] ? { schema: given } : given['schema']?.['~standard'] ? given : undefined;
  if (outer === undefined) return new Model(marked(fieldsOf(given), marks, where));
  const standard = outer.schema['~standard'];
  const structure = outer.jsonSchema ?? standard.jsonSchema?.input?.({ target: 'draft-2020-12' }) ?? outer.schema.toJSONSchema?.();
  if (structure === undefined) {
    throw new TypeError(`${where}: ${standard.vendor} does not say its JSON Schema by itself: pass { schema, jsonSchema: … }`);
  }
  const fields = objectFields(structure, structure, where);
  return new Model(marked(fields, marks, where), (value) => standard.validate(value));
}

const MARKS = ['forceNew', 'sensitive', 'computed', 'writeOnly', 'takesTags'];

function marked(fields, marks, where) {
  const result = { ...fields };
  for (const [name, list] of Object.entries(marks)) {
    if (!(name in result)) throw new TypeError(`${where} has no attribute \`${name}\` to mark`);
    for (const mark of [list].flat()) {
      if (!MARKS.includes(mark)) throw new TypeError(`${where}: \`${mark}\` is no mark; there are ${MARKS.join(', ')}`);
      result[name] = result[name][mark]();
    }
  }
  return result;
}

function objectFields(structure, root, where) {
  const node = resolved(structure, root);
  if (node.type !== 'object' || !isPlain(node.properties ?? {})) throw new TypeError(`${where} is no object schema`);
  const required = new Set(node.required ?? []);
  return Object.fromEntries(Object.entries(node.properties ?? {}).map(([name, part]) => {
    let each = fieldFromJsonSchema(part, root, `${where}.${name}`);
    const { default: fallback } = resolved(part, root);
    if (fallback !== undefined) each = each.default(fallback);
    else if (!required.has(name)) each = each.optional();
    return [name, each];
  }));
}

function resolved(node, root) {
  if (typeof node.$ref !== 'string') return node;
  let found = root;
  for (const step of node.$ref.replace(/^#\/?/, '').split('/').filter(Boolean)) found = found?.[decodeURIComponent(step).replace(/~1/g, '/').replace(/~0/g, '~')];
  if (found === undefined) throw new TypeError(`the JSON Schema refers to ${node.$ref}, which it does not have`);
  return { ...found, ...node, $ref: undefined };
}

function fieldFromJsonSchema(part, root, where) {
  const node = resolved(part, root);
  const choices = node.anyOf ?? node.oneOf;
  if (choices) {
    const others = choices.filter((choice) => choice.type !== 'null');
    const fields = others.map((choice) => fieldFromJsonSchema(choice, root, where));
    const wire = JSON.stringify(fields[0]?.codec.wire);
    const one = fields.every((each) => JSON.stringify(each.codec.wire) === wire) ? new Field(fields[0].codec, fields.length === 1 ? fields[0] : {}) : s.any();
    return others.length < choices.length ? one.nullable() : one;
  }
  const types = [node.type ?? (node.enum ?? [node.const]).map((value) => (typeof value === 'string' ? 'string' : typeof value === 'number' ? 'number' : typeof value))[0]].flat();
  const [type] = types.filter((name) => name !== 'null');
  let made = bareField(type, node, root, where);
  if (types.includes('null')) made = made.nullable();
  if (node.enum && type !== 'boolean') made = made.oneOf(...node.enum.filter((value) => value !== null));
  if (node.const !== undefined && type !== 'boolean') made = made.oneOf(node.const);
  const bounds = type === 'string' ? ['minLength', 'maxLength'] : type === 'array' ? ['minItems', 'maxItems'] : ['minimum', 'maximum'];
  // What zod writes for every integer is no bound of anybody's.
  const isBound = (value) => typeof value === 'number' && Math.abs(value) !== Number.MAX_SAFE_INTEGER;
  if (isBound(node[bounds[0]])) made = made.min(node[bounds[0]]);
  if (isBound(node[bounds[1]])) made = made.max(node[bounds[1]]);
  if (node.description) made = made.describe(node.description);
  return made;
}

function bareField(type, node, root, where) {
  switch (type) {
    case 'string': return s.string();
    case 'number': return s.number();
    case 'integer': return s.number();
    case 'boolean': return s.boolean();
    case 'array':
      if (node.prefixItems) return s.any();
      return (node.uniqueItems ? s.set : s.list)(fieldFromJsonSchema(node.items ?? {}, root, `${where}[]`));
    case 'object':
      if (node.properties) return new Field(objectOf(objectFields(node, root, where)));
      if (isPlain(node.additionalProperties)) return s.map(fieldFromJsonSchema(node.additionalProperties, root, `${where}{}`));
      return s.any();
    default: return s.any();
  }
}

/** Returns the engine's schema of inputs and outputs together. */
function schemaOf(inputs, outputs, { version = 0, description } = {}) {
  const attributes = {};
  for (const [name, each] of Object.entries(inputs.fields)) {
    const attribute = each.attribute();
    const isOutput = name in outputs.fields && !each.flags.write_only;
    if (!each.isOptional && !each.isNullable) {
      attributes[name] = { ...attribute, required: true };
    } else if (each.fallback !== undefined && !each.flags.computed && !each.flags.write_only) {
      attributes[name] = { ...attribute, optional: true, default: each.codec.dump(each.fallback) };
    } else {
      attributes[name] = { ...attribute, optional: true, ...(isOutput || each.flags.computed ? { computed: true } : {}) };
    }
  }
  for (const [name, each] of Object.entries(outputs.fields)) {
    if (!(name in attributes)) attributes[name] = { ...each.attribute(), computed: true };
  }
  return { version, block: { attributes, ...(description ? { description } : {}) } };
}

module.exports = { Codec, Field, Mismatch, Model, field, fieldFromJsonSchema, modelOf, named, s, schemaOf };
