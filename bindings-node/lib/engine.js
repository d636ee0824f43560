'use strict';

const path = require('node:path');
const { fileURLToPath } = require('node:url');
const { inspect } = require('node:util');
const { Bridge } = require('./bridge.js');
const { CancelledError, StackwrightError, diagnosticFromData } = require('./errors.js');
const { Plan, outputsOf } = require('./plan.js');
const { DataSourceType, FunctionType, ResourceType, collect } = require('./resource.js');
const { Run, eventOf } = require('./run.js');
const { shown } = require('./markers.js');
const { Template, templateOf } = require('./template.js');

const ASYNC_DISPOSE = Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose');
const RELEASED = new FinalizationRegistry(({ bridge, operation }) => void bridge.deref()?.release(operation));

// For other files of this package: how an engine is asked what its methods do not ask.
const ASKED = new WeakMap();
const askOf = (engine) => ASKED.get(engine);

/**
 * Plans and applies templates with the types that it is given.
 *
 *     const engine = await Engine.open({ store: 'sqlite:///state.db', resources: [bucket] });
 *     const plan = await engine.stack('acme/shop').plan('shop/');
 *     const run = await plan.apply();
  *     const report = await run.result();
 *     await engine.close();
 */
class Engine {
  #bridge;
  #onEvent;

  /** @internal Use `Engine.open`. */
  constructor(bridge, onEvent) {
    this.#bridge = bridge;
    this.#onEvent = onEvent;
    ASKED.set(this, (name, question) => bridge.ask(name, question));
  }

  /** Opens the store and returns the engine. */
  static async open(options = {}) {
    const { resources = [], dataSources = [], functions = [], onEvent, ...rest } = options;
    const types = [...collect(ResourceType, resources, 'defineResource'), ...collect(DataSourceType, dataSources, 'defineDataSource')];
    const computed = collect(FunctionType, functions, 'defineFunction');
    const query = openQuery(rest, types, computed);
    const bridge = new Bridge(types, computed);
    try {
      await bridge.open(query);
    } catch (error) {
      bridge.close();
      throw error;
    }
    return new Engine(bridge, onEvent);
  }

  /** Returns the stack of a name, `tenant/name`, whether it exists yet or not; without a tenant, of `default`. */
  stack(name) {
    return new Stack(this.#bridge, name.includes('/') ? name : `default/${name}`, this.#watcher());
  }

  /** Returns the stacks that were ever applied, of one tenant or of all, by name. */
  async stacks(tenant) {
    const names = await this.#bridge.ask('stacks', { tenant: tenant ?? null });
    return names.map((name) => this.stack(name));
  }

  /** Cancels the runs that are under way, waits until they are recorded, and ends the engine's threads. */
  async close() {
    if (this.#bridge.isClosed) return;
    const runs = [...this.#bridge.runs];
    for (const run of runs) run.cancel();
    await Promise.allSettled(runs.map((run) => run.wait()));
    await Promise.allSettled(this.#bridge.watchers);
    this.#bridge.close();
  }

  [ASYNC_DISPOSE]() {
    return this.close();
  }

  #watcher() {
    const sink = this.#onEvent;
    if (sink === undefined) return undefined;
    return async (operation) => {
      for (;;) {
        let batch;
        try {
          batch = await this.#bridge.ask('events', { operation, limit: 256, watcher: true });
        } catch {
          return;
        }
        for (const recorded of batch.events) {
          try {
            await sink(eventOf(recorded));
          } catch (error) {
            // A sink that fails must not stop a run, and must not fail unseen.
            process.emitWarning(`the event sink of an engine threw: ${error}`, 'StackwrightWarning');
          }
        }
        if (batch.ended) return;
      }
    };
  }
}

/** One deployment of a template: a tenant, a name, and everything that is remembered of it. */
class Stack {
  #bridge;
  #watcher;

  /** @internal Use `engine.stack`. */
  constructor(bridge, name, watcher) {
    this.#bridge = bridge;
    this.#watcher = watcher;
    this.name = name;
  }

  #ask(question, rest = {}) {
    return this.#bridge.ask(question, { stack: this.name, ...rest });
  }

  /** Returns everything that is wrong with a template, warnings too. Nothing is called, nothing is read. */
  async validate(template) {
    const problems = await this.#ask('validate', { query: templateOf(template).query() });
    return problems.map(diagnosticFromData);
  }

  /** Works out what is to be done. Real objects are read; nothing is changed. */
  async plan(template, options = {}) {
    const { variables = {}, mode = 'normal', targets = [], replace = [], refresh = true, imports = {}, parallelism, signal } = options;
    signal?.throwIfAborted();
    const query = {
      ...templateOf(template).query(),
      variables, mode, targets, replace, refresh,
      imports: Object.entries(imports).map(([address, id]) => ({ address, id })),
      parallelism: parallelism ?? null,
    };
    const operation = this.#bridge.operation(this.#watcher);
    const cancel = () => this.#bridge.forget('cancel', { operation: operation.name });
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return new Plan(this.#bridge, await this.#ask('plan', { operation: operation.name, query }), this.#begin);
    } catch (error) {
      if (error instanceof CancelledError) signal?.throwIfAborted();
      if (error instanceof StackwrightError && error.cause === undefined) {
        const thrown = error.diagnostics.map(({ address }) => operation.thrown.get(address)).find((each) => each !== undefined) ?? [...operation.thrown.values()][0];
        if (thrown !== undefined) error.cause = thrown;
      }
      throw error;
    } finally {
      signal?.removeEventListener('abort', cancel);
      void this.#bridge.release(operation);
    }
  }

  /** Plans and begins to carry the plan out at once. */
  async apply(template, options = {}) {
    const plan = await this.plan(template, options);
    const { parallelism, onFailure, who, why, signal } = options;
    return plan.apply({ parallelism, onFailure, who, why, signal });
  }

  /** Begins to delete everything that the stack owns. The template is needed only for providers that it configures. */
  destroy(template = new Template(), options = {}) {
    return this.apply(template, { ...options, mode: 'destroy' });
  }

  /** Returns the plan that `plan.toBytes()` wrote for this stack. */
  async openPlan(sealed) {
    return new Plan(this.#bridge, await this.#ask('open_plan', { sealed: Buffer.from(sealed).toString('base64') }), this.#begin);
  }

  /** Goes on with a run whose process died, or that paused. What was under way is looked up before anything is repeated. */
  resume(run, options = {}) {
    return this.#begin('resume', { stack: this.name, run: typeof run === 'string' ? run : run.id }, this.name, options);
  }

  #begin = async (how, question, stackName, options) => {
    const { parallelism, onFailure, who = '', why = '', variables = {}, signal } = options;
    signal?.throwIfAborted();
    const operation = this.#bridge.operation(this.#watcher);
    let run;
    try {
      const query = { parallelism: parallelism ?? null, on_failure: onFailure ?? null, who, why, variables };
      const id = await this.#bridge.ask(how, { ...question, operation: operation.name, query });
      run = new Run(this.#bridge, operation, stackName, id);
    } catch (error) {
      void this.#bridge.release(operation);
      throw error;
    }
    RELEASED.register(run, { bridge: new WeakRef(this.#bridge), operation });
    run.follow(signal);
    return run;
  };

  /** Returns what exists. */
  async state() {
    const { serial, rows, outputs } = await this.#ask('state');
    return {
      serial,
      rows: rows.map((row) => ({
        address: row.address,
        typeName: row.type_name,
        objectId: row.object_id,
        id: row.id,
        status: row.status,
        ready: row.ready,
        attributes: shown(row.attributes),
        dependencies: row.dependencies,
      })),
      outputs: outputsOf(outputs),
    };
  }

  /** Returns the root outputs as the last apply left them; `HIDDEN` where they are sensitive and not revealed. */
  async outputs({ reveal = false } = {}) {
    const outputs = await this.#ask('outputs', { reveal });
    return Object.fromEntries(Object.entries(outputs).map(([name, output]) => [name, shown(output.value)]));
  }

  /** Returns the runs, newest first. */
  async runs({ limit = 20 } = {}) {
    return (await this.#ask('runs', { limit })).map(runInfo);
  }

  /** Returns the run that was begun and not ended: its process died, or works on it right now. */
  async unfinishedRun() {
    const run = await this.#ask('unfinished_run');
    return run === null ? null : runInfo(run);
  }

  /** Gives a run up: it will not be resumed. What was under way may exist without a row; resume first if you can. */
  async abandon(run) {
    await this.#ask('abandon', { run: typeof run === 'string' ? run : run.id });
  }

  /** Says what became of an object that nobody could tell about: gone, or to be replaced by the next plan. */
  async settle(address, { exists }) {
    await this.#ask('settle', { address, exists });
  }

  /** Gives an object another address. The object is not touched. */
  async move(from, to) {
    await this.#ask('move_address', { from, to });
  }

  /** Stops managing what an address covers; the objects stay. Returns the addresses. */
  forgetObjects(target) {
    return this.#ask('forget_rows', { target });
  }

  /** Removes what is remembered of a stack without objects. */
  async forget() {
    await this.#ask('forget');
  }

  /** Takes the right to write the stack away from a process that is dead, before it runs out by itself. */
  async breakLease() {
    await this.#ask('break_lease');
  }

  [inspect.custom]() {
    return `<Stack ${this.name}>`;
  }
}

function runInfo({ id, status, started_ms: started, finished_ms: finished, who, why }) {
  return { id, status, started: new Date(started), finished: finished === null ? null : new Date(finished), who, why };
}

const OPTIONS = ['store', 'key', 'tags', 'leaseTtl', 'holder', 'edition', 'filesWithin'];

function openQuery(options, types, functions) {
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) throw new TypeError(`an engine has no option \`${name}\`; there are ${['resources', 'dataSources', 'functions', 'onEvent', ...OPTIONS].join(', ')}`);
  }
  const { store = 'memory:', key, tags = {}, leaseTtl, holder, edition, filesWithin } = options;
  const place = storeOf(store);
  const described = (kind) => Object.fromEntries(types.filter((type) => type.kind === kind).map((type) => [type.name, type.descriptor]));
  return {
    store: place,
    key: keyOf(place, key),
    engine: {
      types: described('resource'),
      data_sources: described('data_source'),
      functions: functions.map((each) => each.descriptor),
      tags,
      holder: holder ?? null,
      lease_ttl_ms: leaseTtl === undefined ? null : Math.round(leaseTtl),
      edition: edition ?? null,
      files_within: filesWithin === undefined ? null : pathOf(filesWithin),
    },
  };
}

const pathOf = (place) => (place instanceof URL ? fileURLToPath(place) : String(place));

function storeOf(store) {
  if (store === 'memory:') return 'memory';
  if (store instanceof URL && store.protocol === 'file:') return { sqlite: fileURLToPath(store) };
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/s.exec(String(store)) ?? [];
  if (scheme === undefined) return { sqlite: String(store) };
  if (scheme === 'sqlite') {
    if (!rest.startsWith('/') || rest === '/') throw new TypeError('write sqlite:///relative.db or sqlite:////absolute/path.db');
    return { sqlite: rest.slice(1) };
  }
  if (scheme === 'postgres' || scheme === 'postgresql') return { postgres: String(store) };
  throw new TypeError(`\`${scheme}\` is no store; there are sqlite:///file.db, postgresql://… and memory:`);
}

function keyOf(place, key) {
  if (typeof key === 'string' && /^[0-9a-fA-F]{64}$/.test(key)) return { text: key };
  if (key !== undefined) return { file: pathOf(key) };
  if (place === 'memory') return 'generate';
  if (place.sqlite !== undefined) return { file: `${path.normalize(place.sqlite)}.key` };
  throw new TypeError('say with `key` what seals secrets: the path of a key file, or 64 hexadecimal digits');
}

module.exports = { Engine, Stack, askOf };
