// A type that is written in JavaScript keeps the contract of resource types, whatever its verbs do.

import assert from 'node:assert/strict';
import test from 'node:test';
import { defineResource, s } from 'stackwright';
import { conform } from 'stackwright/testing';
import { World, thing } from './thing.mjs';

const examples = { config: { name: 'thing-{n}' }, changed: { name: 'thing-{n}', size: 2 }, missingId: 't-none' };

test('a type in JavaScript conforms', async () => {
  const world = new World();
  const findings = await conform(thing(world), { ...examples, fault: 'fault' });
  assert.deepEqual(findings.filter(({ verdict }) => verdict !== 'passed'), []);
  assert.ok(findings.length > 40);
  // What was made was removed: nothing was made twice.
  assert.deepEqual([...world.things], []);
});

async function wrong(type) {
  try {
    await conform(type, examples);
  } catch (error) {
    return error.message.split('\n').slice(1).map((line) => line.split(':')[0].trim());
  }
  return [];
}

test('types that break their contract are found out', async () => {
  const world = new World();
  let made = 0;
  const forgetful = thing(world, {
    async create(ctx, { want }) {
      const id = world.make(`${ctx.idempotencyKey}${++made}`, want);
      return { id, url: `thing://${want.name}` };
    },
  });
  assert.ok((await wrong(forgetful)).includes('crash/same-key'));
  assert.ok((await wrong(thing(new World(), { delete: () => {} }))).includes('life/delete'));
  assert.ok((await wrong(thing(new World(), { recover: () => null }))).includes('crash/create-answer-lost'));
});

test('what a type lacks is skipped', async () => {
  const value = defineResource({
    type: 'value',
    schema: { outputs: { id: s.string() } },
    create: (ctx) => ({ id: ctx.idempotencyKey }),
    read: (ctx, { id }) => ({ id }),
    delete: () => {},
  });
  const findings = await conform(value, { config: {}, isValue: true });
  const skipped = Object.fromEntries(findings.filter(({ verdict }) => verdict === 'skipped').map((each) => [each.case, each.message]));
  assert.equal(skipped['life/update'], 'nothing is changed in place');
  assert.equal(skipped['life/import'], 'it cannot be imported');
});
