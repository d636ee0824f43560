'use strict';

const { InvalidInputError, UnsupportedError, errorToData } = require('./errors.js');
const { Mismatch, Model, field, modelOf, named, schemaOf } = require('./schema.js');

const OPTIONAL = ['validate', 'plan', 'import', 'ready', 'recover', 'upgrade'];
const NEEDED = ['create', 'read', 'delete'];
const KNOWN = new Set([
  'type', 'schema', 'description', 'id', 'version', 'idempotentCreate', 'settle', 'readyTimeout', 'readyInterval', 'callTimeout', 'cost',
  'create', 'read', 'update', 'delete', ...OPTIONAL,
]);

/** What `plan` may return: what is known already, and what makes a new object necessary. */
class Planned {
  constructor({ values = {}, replace = [] } = {}) {
    Object.assign(this, { values, replace });
  }
}

/** What `recover` returns when nobody can say what became of a call. No secrets in the reason. */
class CannotTell {
  constructor(reason) {
    this.reason = reason;
  }
}

/** Thrown by `ready` when the object will never work; the message says why. */
class NeverReady extends Error {
  constructor(message) {
    super(message);
    this.name = 'NeverReady';
  }
}

function refuseUnknown(definition, known, what) {
  for (const name of Object.keys(definition)) {
    if (!known.has(name)) throw new TypeError(`${what} has no property \`${name}\`; there are ${[...known].join(', ')}`);
  }
}

/** Returns a resource type that an engine takes. */
function defineResource(definition) {
  const name = definition.type;
  if (typeof name !== 'string' || !/^[a-z][a-z0-9_]*$/.test(name)) throw new TypeError('a resource type has a name such as `acme_bucket`: defineResource({ type, … })');
  const what = `the resource type \`${name}\``;
  refuseUnknown(definition, KNOWN, what);
  for (const verb of NEEDED) {
    if (typeof definition[verb] !== 'function') throw new TypeError(`${what} has no \`${verb}\``);
  }
  return new ResourceType(definition);
}

/** Returns a data source: something that is looked up and never changed. */
function defineDataSource(definition) {
  const name = definition.type;
  const what = `the data source \`${name}\``;
  refuseUnknown(definition, new Set(['type', 'schema', 'description', 'read']), what);
  if (typeof definition.read !== 'function') throw new TypeError(`${what} has no \`read\``);
  return new DataSourceType(definition);
}

/** Returns a pure function of templates: `provider::acme::shout(…)` for the name `acme::shout`. */
function defineFunction({ name, description = '', parameters = {}, rest, returns, compute }) {
  const [provider, short, ...more] = String(name).split('::');
  if (!short || more.length > 0) throw new TypeError(`\`${name}\` names no provider: write \`acme::${name}\``);
  if (typeof compute !== 'function') throw new TypeError(`the function \`${name}\` has no \`compute\``);
  const fields = Object.entries(parameters).map(([key, value]) => [key, field(value)]);
  const described = ([key, value]) => ({ name: key, type: value.codec.wire, nullable: value.isNullable || value.isOptional });
  const result = field(returns);
  return new FunctionType(
    {
      provider, name: short, summary: description, parameters: fields.map(described),
      ...(rest === undefined ? {} : { variadic: described(['rest', field(rest)]) }), returns: result.codec.wire,
    },
    (values) => {
      const codecs = values.map((_, idx) => (fields[idx]?.[1] ?? rest).codec);
      const computed = compute(...values.map((value, idx) => (value === null ? null : codecs[idx].load(value))));
      if (computed !== null && typeof computed?.then === 'function') throw new Mismatch('a value (functions of templates cannot be async)', computed);
      return computed === null || computed === undefined ? null : result.codec.dump(computed);
    },
  );
}

class FunctionType {
  constructor(descriptor, compute) {
    Object.assign(this, { descriptor, compute });
  }
}

function shapeOf(definition, what) {
  const { inputs, outputs, marks } = definition.schema ?? {};
  if (inputs === undefined && outputs === undefined) throw new TypeError(`${what} has neither \`schema.inputs\` nor \`schema.outputs\``);
  return { inputs: modelOf(inputs, `${what}: schema.inputs`, marks), outputs: modelOf(outputs, `${what}: schema.outputs`) };
}

class DataSourceType {
  kind = 'data_source';

  constructor(definition) {
    const { inputs, outputs } = shapeOf(definition, `the data source \`${definition.type}\``);
    Object.assign(this, { name: definition.type, inputs, outputs, definition });
  }

  get descriptor() {
    return { schema: schemaOf(this.inputs, this.outputs, { description: this.definition.description }) };
  }

  async perform(_, call, ctx) {
    const want = this.inputs.load(call.config.value);
    const attributes = this.outputs.dump(await this.definition.read(ctx, { want }));
    const names = [...Object.keys(this.inputs.fields), ...Object.keys(this.outputs.fields)];
    return { data: { value: { ...Object.fromEntries(names.map((name) => [name, null])), ...call.config.value, ...attributes } } };
  }
}

const milliseconds = (value) => Math.max(0, Math.round(value));

/** A resource type: what the engine knows, and how calls are performed. */
class ResourceType {
  kind = 'resource';

  constructor(definition) {
    const what = `the resource type \`${definition.type}\``;
    const { inputs, outputs } = shapeOf(definition, what);
    const id = definition.id ?? 'id';
    if (!(id in outputs.fields) && !(id in inputs.fields)) throw new TypeError(`${what} has no output \`${id}\`; name the one that is the id: defineResource({ id: … })`);
    Object.assign(this, { name: definition.type, inputs, outputs, id, definition });
    this.names = [...new Set([...Object.keys(inputs.fields), ...Object.keys(outputs.fields)])];
    this.writeOnly = Object.keys(inputs.fields).filter((name) => inputs.fields[name].flags.write_only);
  }

  /** What the engine is told, once. */
  get descriptor() {
    const { version, description, idempotentCreate = false, settle = 0, readyTimeout, readyInterval, callTimeout, cost = 1 } = this.definition;
    const schema = schemaOf(this.inputs, this.outputs, { version, description });
    if (!this.definition.update) {
      for (const attribute of Object.values(schema.block.attributes)) {
        if ((attribute.required || attribute.optional) && !attribute.write_only) attribute.forces_replacement = true;
      }
    }
    const verbs = OPTIONAL.filter((verb) => typeof this.definition[verb] === 'function');
    if (this.inputs.validate && !verbs.includes('validate')) verbs.push('validate');
    const traits = { idempotent_create: idempotentCreate, ready_at_once: !this.definition.ready, settle_ms: milliseconds(settle), cost };
    for (const [key, value] of [['ready_timeout_ms', readyTimeout], ['ready_interval_ms', readyInterval], ['call_timeout_ms', callTimeout]]) {
      if (value !== undefined) traits[key] = milliseconds(value);
    }
    return { schema, traits, verbs };
  }

  /** Performs a call; returns the reply. */
  async perform(verb, call, ctx) {
    const type = this.definition;
    switch (verb) {
      case 'validate': {
        const want = await this.#validated(call.config);
        await type.validate?.(ctx, { want });
        return 'valid';
      }
      case 'plan': {
        // Write-only values stand in the configuration alone.
        const value = { ...call.proposed.value, ...Object.fromEntries(this.writeOnly.map((name) => [name, call.config.value[name]])) };
        return { planned: this.#planned(call, await type.plan(ctx, { want: this.#loaded({ ...call.proposed, value }), was: this.#was(call) })) };
      }
      case 'create':
        return complete(this.#object(call, await type.create(ctx, { want: await this.#validated(call.planned) })));
      case 'read': {
        const found = await type.read(ctx, { id: call.object.id, was: this.#was(call) });
        return { object: found === null || found === undefined ? null : this.#object(call, found) };
      }
      case 'update': {
        if (!type.update) throw new UnsupportedError(`\`${this.name}\` objects cannot be changed in place`, { code: 'host.failed' });
        const result = await type.update(ctx, { id: call.prior.id, want: await this.#validated(call.planned), was: this.#was(call) });
        return complete(this.#object(call, result ?? null));
      }
      case 'delete':
        await type.delete(ctx, { id: call.prior.id, was: this.#was(call) });
        return { outcome: { object: 'gone' } };
      case 'import': {
        const found = await type.import(ctx, { id: call.id });
        return { object: found === null || found === undefined ? null : this.#object(call, found) };
      }
      case 'ready':
        return { readiness: this.#readiness(call, await type.ready(ctx, { id: call.object.id, was: this.#was(call) })) };
      case 'recover': {
        const want = call.planned ? this.#loaded(call.planned) : null;
        const found = await type.recover(ctx, { id: call.prior?.id ?? call.id ?? null, want, was: this.#was(call), partial: call.partial?.value ?? null });
        if (found instanceof CannotTell) return { recovery: { cannot_tell: { reason: found.reason } } };
        return { recovery: found === null || found === undefined ? 'absent' : { found: this.#object(call, found) } };
      }
      case 'upgrade':
        return { upgraded: await type.upgrade(ctx, { version: call.version, attributes: call.attributes }) };
      default:
        throw new Mismatch('a verb that this package knows', verb);
    }
  }

  /** Returns the reply for an object that is half made. */
  partial(call, outputs, error) {
    return { outcome: { object: { partial: this.#object(call, outputs) }, problems: [errorToData(error)] } };
  }

  /** Returns the inputs as a verb gets them: what the library of the schema makes of them, once all are known. */
  async #validated(document) {
    const unknown = unknownNames(document);
    const loaded = this.inputs.load(document.value, unknown);
    const isOpen = [...unknown].some((name) => name in this.inputs.fields);
    if (!this.inputs.validate || isOpen) return loaded;
    const { issues, value } = await this.inputs.validate(loaded);
    if (!issues || issues.length === 0) return value;
    const diagnostics = issues.map(({ message, path = [] }) => {
      const where = path.map((step) => (typeof step === 'object' ? step.key : step)).join('.');
      return { code: 'resource.input', message: where ? `${where}: ${message}` : message };
    });
    throw new InvalidInputError(`\`${this.name}\` refuses its inputs`, { code: 'resource.input', diagnostics });
  }

  #loaded(document) {
    return this.inputs.load(document.value, unknownNames(document));
  }

  #was(call) {
    const known = call.prior ?? call.object;
    if (!known) return null;
    return { id: known.id, inputs: this.inputs.load(known.attributes), outputs: this.outputs.load(known.attributes) };
  }

  #object(call, result) {
    const known = call.prior ?? call.object;
    const attributes = Object.fromEntries(this.names.map((name) => [name, null]));
    Object.assign(attributes, known?.attributes);
    if (call.planned) {
      const unknown = unknownNames(call.planned);
      for (const [name, value] of Object.entries(call.planned.value)) {
        if (!unknown.has(name)) attributes[name] = value;
      }
    }
    // `{ inputs, outputs }` says what became of the inputs too; a type that has an output of such a name returns it plainly.
    const isBoth = result !== null && typeof result === 'object' && 'inputs' in result && 'outputs' in result && !('inputs' in this.outputs.fields);
    if (isBoth) Object.assign(attributes, this.inputs.dump(result.inputs));
    const outputs = isBoth ? result.outputs : result;
    if (outputs !== null && outputs !== undefined) Object.assign(attributes, this.outputs.dump(outputs));
    else if (!known && Object.keys(this.outputs.fields).length > 0) throw new Mismatch('an object with the outputs', outputs);
    for (const name of this.writeOnly) attributes[name] = null;
    const id = attributes[this.id];
    if (id === null || id === undefined) throw new Mismatch('an id', id, `.${this.id}`);
    return { id: String(id), attributes };
  }

  #readiness(call, result) {
    if (result === true) return { ready: call.object };
    if (result === false || result === null || result === undefined) return { not_yet: { reason: 'it does not work yet' } };
    if (typeof result === 'string') return { not_yet: { reason: result } };
    return { ready: this.#object(call, result) };
  }

  #planned(call, result) {
    const { values, replace } = result instanceof Planned ? result : new Planned({ values: result ?? {} });
    const { value, unknown = [] } = call.proposed;
    const fields = { ...this.inputs.fields, ...this.outputs.fields };
    const planned = { ...value };
    const names = new Set(Object.keys(values));
    for (const [name, known] of Object.entries(values)) {
      if (!(name in fields)) throw new Mismatch('the name of an attribute', name, `.${name}`);
      planned[name] = new Model({ [name]: fields[name].optional() }).dump({ [name]: known })[name];
    }
    return {
      planned: { value: planned, unknown: unknown.filter((path) => !names.has(path[0]?.attr)) },
      requires_replace: [...replace].map((name) => [{ attr: name }]),
    };
  }
}

const complete = (object) => ({ outcome: { object: { complete: object } } });

function unknownNames({ unknown = [] }) {
  return new Set(unknown.flatMap((path) => (path.length > 0 ? [path[0].attr] : [])));
}

/** Returns the types among what a host listed. */
function collect(Kind, given, how) {
  return [...given].map((item) => {
    if (!(item instanceof Kind)) throw new TypeError(`${named(item)} is none: make it with ${how}({ … })`);
    return item;
  });
}

module.exports = {
  CannotTell, DataSourceType, FunctionType, NeverReady, Planned, ResourceType, collect, defineDataSource, defineFunction, defineResource,
};
