// A pretend cloud of buckets, with a type that uses it: what the tests have in common.

import { Engine, defineResource, s } from 'stackwright';

/** Returns an engine that is closed after the test. */
export async function opened(t, options) {
  const engine = await Engine.open(options);
  t.after(() => engine.close());
  return engine;
}

export class Cloud {
  things = new Map();
  log = [];

  say(verb, name) {
    this.log.push(`${verb} ${name}`);
  }
}

export function bucket(cloud, overrides = {}) {
  const outputs = (id) => ({ id, url: `https://${cloud.things.get(id).name}` });
  return defineResource({
    type: 'acme_bucket',
    schema: {
      inputs: {
        name: s.string().forceNew(),
        size: s.number().optional(),
        labels: s.map(s.string()).optional(),
        token: s.string().sensitive().optional(),
      },
      outputs: { id: s.string(), url: s.string() },
    },
    async create(ctx, { want }) {
      cloud.say('create', want.name);
      const id = `b-${want.name}`;
      cloud.things.set(id, { ...want, key: ctx.idempotencyKey });
      return outputs(id);
    },
    async read(ctx, { id }) {
      cloud.say('read', id);
      return cloud.things.has(id) ? outputs(id) : null;
    },
    async update(ctx, { id, want }) {
      cloud.say('update', id);
      Object.assign(cloud.things.get(id), want);
      return outputs(id);
    },
    async delete(ctx, { id }) {
      cloud.say('delete', id);
      cloud.things.delete(id);
    },
    async import(ctx, { id }) {
      const found = cloud.things.get(id);
      return found ? { inputs: { name: found.name, size: found.size ?? null, labels: null, token: null }, outputs: outputs(id) } : null;
    },
    async recover(ctx, { id }) {
      const [known] = [...cloud.things].find(([each, { key }]) => each === id || key === ctx.idempotencyKey) ?? [];
      return known === undefined ? null : outputs(known);
    },
    ...overrides,
  });
}
