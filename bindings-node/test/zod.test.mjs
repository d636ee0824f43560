import assert from 'node:assert/strict';
import test from 'node:test';
import * as v from 'valibot';
import { toJsonSchema } from '@valibot/to-json-schema';
import { z } from 'zod';
import { Template, defineResource, s } from 'stackwright';
import { opened } from './world.mjs';

const cases = {
  zod: () => {
    const schema = z.object({
      name: z.string().min(2).describe('What it is called.'),
      size: z.number().int().min(1).max(9).optional(),
      kind: z.enum(['hot', 'cold']).default('hot'),
      tags: z.record(z.string(), z.string()).optional(),
      ports: z.array(z.number()).optional(),
      net: z.object({ cidr: z.string().refine((text) => text.includes('/'), 'a slash is missing'), zone: z.string().optional() }).optional(),
      note: z.string().nullable(),
    });
    return { schema, jsonSchema: z.toJSONSchema(schema, { io: 'input' }) };
  },
  valibot: () => {
    const schema = v.object({
      name: v.pipe(v.string(), v.minLength(2), v.description('What it is called.')),
      size: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(9))),
      kind: v.optional(v.picklist(['hot', 'cold']), 'hot'),
      tags: v.optional(v.record(v.string(), v.string())),
      ports: v.optional(v.array(v.number())),
      net: v.optional(v.object({ cidr: v.pipe(v.string(), v.check((text) => text.includes('/'), 'a slash is missing')), zone: v.optional(v.string()) })),
      note: v.nullable(v.string()),
    });
    return { schema, jsonSchema: toJsonSchema(schema, { typeMode: 'input', errorMode: 'ignore' }) };
  },
};

for (const [library, make] of Object.entries(cases)) {
  test(`inputs from a schema of ${library}`, async (t) => {
    const seen = [];
    const type = defineResource({
      type: 'acme_thing',
      schema: { inputs: make(), outputs: { id: s.string() }, marks: { name: 'forceNew' } },
      create: (ctx, { want }) => (seen.push(want), { id: want.name }),
      read: (ctx, { was }) => was.outputs,
      update: () => null,
      delete: () => {},
    });
    assert.deepEqual(type.descriptor.schema.block.attributes.kind, { type: 'string', checks: [{ one_of: ['hot', 'cold'] }], optional: true, default: 'hot' });
    assert.deepEqual(type.descriptor.schema.block.attributes.net.type, ['object', { cidr: 'string', zone: 'string' }, ['zone']]);
    const engine = await opened(t, { resources: [type] });
    const stack = engine.stack(library);
    const template = (inputs) => Template.fromObject({ resource: { acme_thing: { a: inputs } } });
    await (await stack.apply(template({ name: 'one', size: 2, tags: { a: 'b' }, ports: [1, 2], net: { cidr: '10.0.0.0/8' }, note: null }))).result();
    assert.deepEqual(seen, [{ name: 'one', size: 2, kind: 'hot', tags: { a: 'b' }, ports: [1, 2], net: { cidr: '10.0.0.0/8' }, note: null }]);
    await assert.rejects(stack.plan(template({ name: 'x' })), /acme_thing/);
    await assert.rejects(stack.plan(template({ name: 'one', kind: 'warm' })), /must be one of/);
    await assert.rejects(stack.plan(template({ name: 'one', size: 12 })), /must be from 1 to 9/);
    await assert.rejects(stack.plan(template({ name: 'one', net: { cidr: 'x' } })), /a slash is missing/);
  });
}
