// What a Node package on top of the bridge has to do; just enough of it to prove the contracts.

import { createRequire } from 'node:module';

const native = createRequire(import.meta.url)(process.env.STACKWRIGHT_NATIVE);

const OPTIONAL = ['validate', 'plan', 'import', 'ready', 'recover', 'upgrade'];

/** An error with all that the engine's errors say; a resource type throws it, a host catches it. */
export class StackwrightError extends Error {
  constructor(kind, message, { code = 'host.failed', retry = 'no', effect = 'none', ...rest } = {}) {
    super(message);
    this.name = 'StackwrightError';
    Object.assign(this, { kind, code, retry, effect, rest });
  }

  data() {
    const { kind, code, message, retry, effect, rest } = this;
    return { kind, code, message, retry, effect, ...rest };
  }
}

/** Thrown by a verb that stopped half-way: what is there now, and why it is not more. */
export class Partial extends Error {
  constructor(thing, error) {
    super(error.message);
    Object.assign(this, { thing, error });
  }
}

/** Returns what an envelope holds, or throws it. */
function unwrap(answer) {
  const envelope = JSON.parse(answer);
  if ('error' in envelope) {
    const { kind, message, ...rest } = envelope.error;
    throw new StackwrightError(kind, message, rest);
  }
  return envelope.ok;
}

/** What surrounds a call: the facts as properties, and what is live as methods. */
class Context {
  #live;

  constructor(live, facts) {
    this.#live = live;
    this.key = facts.idempotency_key;
    this.address = facts.address;
    this.attempt = facts.attempt;
  }

  async checkpoint(id, partial) {
    unwrap(await this.#live.checkpoint(id, partial && JSON.stringify({ value: partial })));
  }

  progress(message) {
    this.#live.progress(message);
  }

  get isCancelled() {
    return this.#live.isCancelled;
  }

  cancelled() {
    return this.#live.cancelled();
  }
}

const REPLIES = {
  validate: () => 'valid',
  upgrade: (attributes) => ({ upgraded: attributes }),
  plan: (planned) => ({ planned }),
  create: (thing) => ({ outcome: { object: { complete: thing } } }),
  update: (thing) => ({ outcome: { object: { complete: thing } } }),
  delete: () => ({ outcome: { object: 'gone' } }),
  read: (thing) => ({ object: thing ?? null }),
  import: (thing) => ({ object: thing ?? null }),
  ready: (readiness) => ({ readiness }),
  recover: (recovery) => ({ recovery }),
};

/** Returns the async function that performs calls; it never rejects. */
function dispatcher(types) {
  return async (live, text) => {
    const { context, call } = JSON.parse(text);
    const [[verb, values]] = Object.entries(call);
    try {
      const result = await types[context.type_name][verb](new Context(live, context), values);
      return JSON.stringify(REPLIES[verb](result));
    } catch (error) {
      if (error instanceof Partial) {
        const outcome = { object: { partial: error.thing }, problems: [error.error.data()] };
        return JSON.stringify({ outcome });
      }
      if (error instanceof StackwrightError) {
        return JSON.stringify({ error: error.data() });
      }
      // The engine learns the class only, which would not cross by itself; what it says stays on this side.
      console.error(error);
      const effect = ['create', 'update', 'delete'].includes(verb) ? 'unknown' : 'none';
      const raised = new StackwrightError('bug', `the host's code raised \`${error?.constructor?.name}\``, { effect });
      return JSON.stringify({ error: raised.data() });
    }
  };
}

/** A run that is under way. */
export class Run {
  #run;

  constructor(run) {
    this.#run = run;
    this.id = unwrap(run.answer);
  }

  /** Waits for the end. Aborting the signal asks the run to drain; it waits all the same. */
  async finish({ signal, hurry } = {}) {
    const drain = () => this.#run.cancel();
    const now = () => this.#run.cancelNow();
    signal?.addEventListener('abort', drain);
    hurry?.addEventListener('abort', now);
    try {
      return unwrap(await this.#run.finish());
    } finally {
      signal?.removeEventListener('abort', drain);
      hurry?.removeEventListener('abort', now);
    }
  }
}

export class Plan {
  #plan;

  constructor(plan) {
    this.#plan = plan;
    this.data = unwrap(plan.answer);
  }

  async apply(options = {}) {
    return new Run(await this.#plan.apply(JSON.stringify(options)));
  }
}

/** An engine over a folder, with resource types that are objects of this program. */
export class Engine {
  #engine;

  static async open(folder, types, leaseTtlMs) {
    const described = Object.entries(types).map(([name, resource]) => {
      const verbs = OPTIONAL.filter((verb) => typeof resource[verb] === 'function');
      return [name, { schema: resource.schema, traits: resource.traits, verbs }];
    });
    const query = JSON.stringify({ types: Object.fromEntries(described), lease_ttl_ms: leaseTtlMs });
    const engine = new Engine();
    engine.#engine = await native.open(folder, query, dispatcher(types));
    unwrap(engine.#engine.answer);
    return engine;
  }

  async plan(files, mode = 'normal') {
    return new Plan(await this.#engine.plan(JSON.stringify({ files, mode })));
  }

  async resume(run, options = {}) {
    return new Run(await this.#engine.resume(run, JSON.stringify(options)));
  }

  async unfinishedRun() {
    return unwrap(await this.#engine.unfinishedRun());
  }

  async state() {
    return unwrap(await this.#engine.state());
  }
}
