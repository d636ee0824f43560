// The thing that every language has a type for: a world in memory, and verbs that misbehave as its `fault` says.

import { DeniedError, NotFoundError, Partial, Planned, UNKNOWN, defineResource, s } from 'stackwright';

/** Things by id. The same key twice makes one thing. */
export class World {
  things = new Map();
  #last = 0;

  byKey(key) {
    return [...this.things].find(([, thing]) => thing.key === key)?.[0];
  }

  make(key, want) {
    const id = this.byKey(key) ?? `t-${++this.#last}`;
    if (!this.things.has(id)) this.things.set(id, { key, name: want.name, size: want.size });
    return id;
  }
}

const urlOf = (name) => `thing://${name}`;
const refusal = () => new DeniedError('this thing refuses', { code: 'thing.refused' });

async function misbehave(told, verb, ctx) {
  if (told === `raise ${verb}`) throw new RangeError('what an error says may be secret: hunter2');
  if (told === `refuse ${verb}`) throw refusal();
  if (told === `hang ${verb}`) await new Promise(() => {});
  if (told === `linger ${verb}`) {
    const stopped = new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
    ctx.progress('waiting');
    await stopped;
  }
}

/** Returns the type; `overrides` replaces verbs. */
export function thing(world = new World(), overrides = {}) {
  const outputs = (id) => ({ id, url: urlOf(world.things.get(id).name) });
  const seen = (id, fault) => {
    const found = world.things.get(id);
    return found ? { inputs: { name: found.name, size: found.size, fault }, outputs: outputs(id) } : null;
  };
  return defineResource({
    type: 'thing',
    readyInterval: 1,
    schema: {
      inputs: { name: s.string().forceNew(), size: s.number().default(1), fault: s.string().optional() },
      outputs: { id: s.string(), url: s.string() },
    },
    validate: (ctx, { want }) => misbehave(want.fault, 'validate', ctx),
    async plan(ctx, { want }) {
      await misbehave(want.fault, 'plan', ctx);
      if (want.fault === 'misshape plan') return { nonsense: 7 };
      return want.name === UNKNOWN ? null : new Planned({ values: { url: urlOf(want.name) } });
    },
    async create(ctx, { want }) {
      // What is raised is raised after the work is done: the worst case.
      if (want.fault !== 'raise create') await misbehave(want.fault, 'create', ctx);
      const id = world.make(ctx.idempotencyKey, want);
      if (want.fault === 'raise create') await misbehave(want.fault, 'create', ctx);
      if (want.fault === 'checkpoint create') await ctx.checkpoint(id, { name: want.name });
      if (want.fault === 'half create') throw new Partial(outputs(id), refusal());
      return want.fault === 'misshape create' ? 7 : outputs(id);
    },
    async read(ctx, { id, was }) {
      await misbehave(was.inputs.fault, 'read', ctx);
      return was.inputs.fault === 'misshape read' ? 7 : seen(id, was.inputs.fault);
    },
    async update(ctx, { id, want }) {
      await misbehave(want.fault, 'update', ctx);
      const found = world.things.get(id);
      if (found === undefined) throw new NotFoundError('the thing is gone', { code: 'thing.gone' });
      found.size = want.size;
      if (want.fault === 'half update') throw new Partial(outputs(id), refusal());
      return want.fault === 'misshape update' ? 7 : outputs(id);
    },
    async delete(ctx, { id, was }) {
      await misbehave(was.inputs.fault, 'delete', ctx);
      world.things.delete(id);
    },
    async import(ctx, { id }) {
      await misbehave(id, 'import', ctx);
      return id === 'misshape import' ? 7 : seen(id, null);
    },
    async ready(ctx, { was }) {
      await misbehave(was.inputs.fault, 'ready', ctx);
      return was.inputs.fault === 'misshape ready' ? 7 : true;
    },
    async recover(ctx, { id, want }) {
      const told = want?.fault ?? null;
      await misbehave(told, 'recover', ctx);
      if (told === 'misshape recover') return 7;
      return seen(world.things.has(id) ? id : world.byKey(ctx.idempotencyKey), told);
    },
    ...overrides,
  });
}
