'use strict';

// One engine on one JavaScript thread: promises out, calls in. The engine's own threads never run JavaScript.

const { AsyncResource } = require('node:async_hooks');
const { BugError, Partial, StackwrightError, UnsupportedError, errorToData, unnamed, unwrap } = require('./errors.js');
const json = require('./json.js');
const { native } = require('./native.js');
const { NeverReady } = require('./resource.js');
const { Mismatch } = require('./schema.js');

const SETTLED = 0;
const CALL = 1;

/** A plan that is being made, or a run: what calls of verbs threw, by address, and where they come from. */
class Operation {
  constructor(name) {
    this.name = name;
    this.thrown = new Map();
    this.resource = new AsyncResource('stackwright');
  }
}

/** What surrounds a call of a verb. */
class Context {
  #live;
  #bridge;
  #signal;

  constructor(live, facts, bridge) {
    this.#live = live;
    this.#bridge = bridge;
    this.idempotencyKey = facts.idempotency_key;
    this.address = facts.address;
    this.typeName = facts.type_name;
    this.stack = facts.stack;
    this.tenant = facts.tenant;
    this.attempt = facts.attempt;
    this.deadline = facts.deadline_ms === null ? null : new Date(facts.deadline_ms);
    this.tags = Object.freeze(facts.tags);
    this.providerConfig = facts.provider_config?.value ?? null;
  }

  /** Makes the remote id durable as soon as it is known, before the object is finished. */
  async checkpoint(id, attributes) {
    const partial = attributes === undefined ? undefined : json.stringify({ value: attributes });
    await this.#bridge.promised((number) => this.#live.checkpoint(number, String(id), partial));
  }

  /** Tells observers how far the call is. No secrets. */
  progress(message) {
    this.#live.progress(String(message));
  }

  /** Whether the caller wants the call to end soon: complete, undo, or leave half done and say so. */
  get isCancelled() {
    return this.#live.isCancelled;
  }

  /** Aborted when the caller wants the call to end soon; for `fetch` and whatever else takes a signal. */
  get signal() {
    if (this.#signal === undefined) {
      const controller = new AbortController();
      this.#signal = controller.signal;
      this.#bridge
        .promised((number) => this.#live.cancelled(number))
        .then((is) => is && controller.abort(new UnsupportedError('the engine wants the call to end', { code: 'run.cancelled' })), () => {});
    }
    return this.#signal;
  }
}

class Bridge {
  #numbers = 0;
  #promises = new Map();
  #operations = new Map();
  #native;
  #alive;

  constructor(types, functions) {
    this.types = new Map(types.map((type) => [`${type.kind} ${type.name}`, type]));
    this.functions = new Map(functions.map((each) => [`${each.descriptor.provider}::${each.descriptor.name}`, each]));
    this.runs = new Set();
    this.watchers = new Set();
    this.isClosed = false;
    const me = new WeakRef(this);
    // The engine keeps what it calls alive; an engine that nobody holds should go all the same.
    this.#native = new native.Engine(
      () => me.deref()?.take(),
      (name, values) => me.deref()?.compute(name, values) ?? '',
    );
    // Nothing that is native keeps Node alive; this does, as long as an answer is awaited.
    this.#alive = setInterval(() => {}, 2 ** 30);
    this.#alive.unref();
  }

  get native() {
    return this.#native;
  }

  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    clearInterval(this.#alive);
    this.#native.close();
    for (const { reject } of this.#promises.values()) reject(closed());
    this.#promises.clear();
  }

  check() {
    if (this.isClosed) throw closed();
  }

  // --- out ---

  /** Returns the promise that is settled under the number that `start` is given. */
  promised(start) {
    this.check();
    const number = ++this.#numbers;
    return new Promise((resolve, reject) => {
      // Resolved where it was awaited: async_hooks see one chain.
      this.#promises.set(number, { resolve, reject });
      if (this.#promises.size === 1) this.#alive.ref();
      try {
        start(number);
      } catch (error) {
        this.#settled(number);
        reject(error);
      }
    });
  }

  open(query) {
    return this.promised((number) => this.#native.open(number, json.stringify(query)));
  }

  /** Asks something that takes its time. */
  ask(name, question) {
    return this.promised((number) => this.#native.ask(number, json.stringify({ [name]: question })));
  }

  /** Asks something that is answered at once. */
  tell(name, question) {
    this.check();
    return unwrap(json.parse(this.#native.tell(json.stringify({ [name]: question }))));
  }

  /** Tells, unless there is nobody to be told. */
  forget(name, question) {
    if (!this.isClosed) this.#native.tell(json.stringify({ [name]: question }));
  }

  /** Announces an operation; a watcher gets all of its events. */
  operation(watcher) {
    this.check();
    const operation = new Operation(String(++this.#numbers));
    this.tell('start', { operation: operation.name, watched: watcher !== undefined });
    this.#operations.set(operation.name, operation);
    if (watcher !== undefined) {
      const watching = watcher(operation.name).finally(() => this.watchers.delete(watching));
      operation.watching = watching;
      this.watchers.add(watching);
    }
    return operation;
  }

  /** Forgets an operation, once its watcher has seen all. */
  async release(operation) {
    await operation.watching;
    this.#operations.delete(operation.name);
    this.forget('release', { operation: operation.name });
  }

  // --- in ---

  take() {
    for (const { kind, number, text, context } of this.#native.take()) {
      if (kind === CALL) this.#begin(number, json.parse(text), context);
      else if (kind === SETTLED) this.#settle(number, text);
    }
  }

  #settled(number) {
    const promise = this.#promises.get(number);
    this.#promises.delete(number);
    if (this.#promises.size === 0) this.#alive.unref();
    return promise;
  }

  #settle(number, text) {
    const promise = this.#settled(number);
    if (promise === undefined) return;
    try {
      promise.resolve(unwrap(json.parse(text)));
    } catch (error) {
      promise.reject(error);
    }
  }

  #begin(number, { context: facts, call }, live) {
    const [[verb, body]] = Object.entries(call);
    const type = this.types.get(`${verb === 'read_data' ? 'data_source' : 'resource'} ${facts.type_name}`);
    const operation = this.#operations.get(facts.operation ?? '');
    const perform = () => this.#perform(number, type, verb, body, live, facts, operation);
    if (operation === undefined) perform();
    else operation.resource.runInAsyncScope(perform);
  }

  async #perform(number, type, verb, call, live, facts, operation) {
    try {
      const reply = await type.perform(verb, call, new Context(live, facts, this));
      this.#native.reply(number, json.stringify(reply));
    } catch (thrown) {
      this.#failed(number, type, verb, call, facts, operation, thrown);
    }
  }

  #failed(number, type, verb, call, facts, operation, thrown) {
    const error = thrown instanceof Mismatch ? misshapen(type, verb, thrown) : thrown;
    const cause = error instanceof Partial && error.cause !== undefined ? error.cause : error;
    operation?.thrown.set(facts.address, cause);
    if (this.isClosed) return;
    try {
      if (error instanceof NeverReady && verb === 'ready') {
        this.#native.reply(number, json.stringify({ readiness: { failed: { reason: error.message } } }));
      } else if (error instanceof Partial && (verb === 'create' || verb === 'update')) {
        const problem = cause instanceof StackwrightError ? cause : unnamed(cause);
        this.#native.reply(number, json.stringify(type.partial(call, error.outputs, problem)));
      } else if (error instanceof StackwrightError) {
        this.#native.reply(number, json.stringify({ error: errorToData(error) }));
      } else {
        this.#native.raised(number, className(error));
      }
    } catch (worse) {
      this.#native.raised(number, className(worse));
    }
  }

  /** Computes a function of templates, while a thread of the engine waits. */
  compute(name, values) {
    try {
      return json.stringify({ ok: this.functions.get(name).compute(json.parse(values)) });
    } catch (thrown) {
      const error =
        thrown instanceof StackwrightError ? thrown
        : thrown instanceof Mismatch ? new BugError(`the result of \`${name}\` has another shape: ${thrown.message}`, { code: 'host.reply' })
        : unnamed(thrown);
      return json.stringify({ error: errorToData(error) });
    }
  }
}

function closed() {
  return new UnsupportedError('this engine is closed; open another', { code: 'host.closed' });
}

function className(thrown) {
  return thrown instanceof Error ? thrown.constructor.name : typeof thrown;
}

function misshapen(type, verb, error) {
  const changes = ['create', 'update', 'delete'].includes(verb);
  return new BugError(`\`${verb}\` of \`${type.name}\` returned another shape: ${error.message}`, { code: 'host.reply', effect: changes ? 'unknown' : 'none' });
}

module.exports = { Bridge, Context };
