// Compiled, never run: what the definitions infer, and what they refuse.

import { z } from 'zod';
import * as v from 'valibot';
import { toJsonSchema } from '@valibot/to-json-schema';
import { Engine, Template, defineDataSource, defineFunction, defineResource, s, type Run } from 'stackwright';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <T extends true>(): T => true as T;

const bucket = defineResource({
  type: 'acme_bucket',
  schema: {
    inputs: {
      name: s.string().forceNew(),
      size: s.number().optional(),
      kind: s.enum('hot', 'cold'),
      big: s.bigint(),
      tags: s.map(s.list(s.string())),
      nested: s.object({ port: s.number(), host: s.string().optional() }),
    },
    outputs: { id: s.string(), url: s.string().nullable() },
  },
  async create(ctx, { want }) {
    same<Same<typeof want.name, string>>();
    same<Same<typeof want.size, number | null>>();
    same<Same<typeof want.kind, 'hot' | 'cold'>>();
    same<Same<typeof want.big, bigint>>();
    same<Same<typeof want.tags, Record<string, string[]>>>();
    same<Same<typeof want.nested.host, string | null>>();
    // @ts-expect-error there is no such input
    void want.nome;
    const signal: AbortSignal = ctx.signal;
    void signal;
    return { id: want.name, url: null };
  },
  read(_, { id, was }) {
    same<Same<typeof was.outputs.url, string | null>>();
    return id ? was.outputs : null;
  },
  delete: () => {},
});

defineResource({
  type: 'acme_zod',
  schema: { inputs: z.object({ name: z.string(), count: z.number().int().optional() }), outputs: { id: s.string() }, marks: { name: 'forceNew' } },
  create(_, { want }) {
    same<Same<typeof want.name, string>>();
    same<Same<typeof want.count, number | undefined>>();
    return { id: want.name };
  },
  read: (_, { was }) => was.outputs,
  delete: () => {},
});

const shape = v.object({ name: v.string() });
defineResource({
  type: 'acme_valibot',
  schema: { inputs: { schema: shape, jsonSchema: toJsonSchema(shape) }, outputs: { id: s.string() } },
  create(_, { want }) {
    same<Same<typeof want.name, string>>();
    return { id: want.name };
  },
  read: (_, { was }) => was.outputs,
  delete: () => {},
});

defineResource({
  type: 'acme_wrong',
  schema: { outputs: { id: s.string() } },
  // @ts-expect-error the id is a string
  create: () => ({ id: 1 }),
  read: () => null,
  delete: () => {},
});

const zones = defineDataSource({ type: 'acme_zones', schema: { inputs: { region: s.string() }, outputs: { names: s.list(s.string()) } }, read: (_, { want }) => ({ names: [want.region] }) });
const shout = defineFunction({ name: 'acme::shout', parameters: { text: s.string() }, returns: s.string(), compute: (text: string) => text.toUpperCase() });

export async function main(): Promise<string> {
  const engine = await Engine.open({ resources: [bucket], dataSources: [zones], functions: [shout], store: 'memory:' });
  // @ts-expect-error there is no such option
  await Engine.open({ stores: 'x' });
  const template = new Template();
  const a = template.resource('acme_bucket', 'a', { name: 'x' });
  template.output('url', a.url);
  const plan = await engine.stack('acme/shop').plan(template, { variables: { n: 1n }, signal: AbortSignal.timeout(1) });
  const run: Run = await plan.apply({ onFailure: 'rollback' });
  for await (const event of run) {
    const at: Date = event.at;
    void at;
  }
  const report = await run.result();
  same<Same<typeof report.status, 'running' | 'succeeded' | 'failed' | 'cancelled' | 'stuck' | 'abandoned'>>();
  void new Response(run.serverSentEvents());
  await engine.close();
  return run.id;
}
