import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import test from 'node:test';
import * as esm from 'stackwright';
import { Engine, HIDDEN, Template, UNKNOWN, defineDataSource, defineFunction, defineResource, digits, expression, literal, s } from 'stackwright';
import { Cloud, bucket, opened } from './world.mjs';

function open(t, cloud, options = {}, overrides = {}) {
  return opened(t, { resources: [bucket(cloud, overrides)], ...options });
}

test('ESM and CommonJS give the same classes', () => {
  const cjs = createRequire(import.meta.url)('stackwright');
  assert.equal(cjs.StackwrightError, esm.StackwrightError);
  const missing = Object.keys(cjs).filter((name) => !(name in esm));
  assert.deepEqual(missing, []);
});

test('locked tags go where a type takes tags', async (t) => {
  const seen = [];
  const inputs = { name: s.string(), labels: s.map(s.string()).default({}).takesTags() };
  const verbs = { create: (ctx, { want }) => (seen.push([want.labels, ctx.tags]), { id: 'i' }), read: (ctx, { was }) => was.outputs, update: () => null, delete: () => {} };
  const type = defineResource({ type: 'acme_thing', schema: { inputs, outputs: { id: s.string() } }, ...verbs });
  assert.deepEqual(type.descriptor.schema.block.attributes.labels, { type: ['map', 'string'], optional: true, default: {}, takes_tags: true });
  const engine = await opened(t, { resources: [type], tags: { team: 'red' } });
  const stack = engine.stack('acme/x');
  const template = (labels) => Template.fromObject({ resource: { acme_thing: { a: { name: 'n', labels } } } });
  await (await stack.apply(template({ of: 'mine' }))).result();
  const locked = { team: 'red', 'stackwright-tenant': 'acme', 'stackwright-stack': 'x' };
  assert.deepEqual(seen, [[{ of: 'mine', ...locked }, locked]]);
  await assert.rejects(stack.plan(template({ team: 'blue' })), (error) => error.diagnostics.some(({ code }) => code === 'plan.tag_locked'));
});

test('a template is planned, applied, changed and destroyed', async (t) => {
  const cloud = new Cloud();
  const engine = await open(t, cloud);
  const stack = engine.stack('acme/shop');
  const template = new Template();
  const name = template.variable('name', { type: 'string' });
  const a = template.resource('acme_bucket', 'a', { name: `${name}-a`, size: 3, token: 'hunter2' });
  template.resource('acme_bucket', 'b', { name: `of-${a.id}`, depends_on: [a] });
  template.output('url', a.url);
  template.output('token', a.token, { sensitive: true });

  const plan = await stack.plan(template, { variables: { name: 'x' } });
  assert.deepEqual({ ...plan.counts }, { add: 2, change: 0, delete: 0, import: 0, forget: 0, wait: 0 });
  assert.equal(plan.isEmpty, false);
  const [first] = plan.changes;
  assert.deepEqual([first.address, first.action, first.before, first.after.id, first.after.token], ['acme_bucket.a', 'create', null, UNKNOWN, HIDDEN]);
  assert.match(String(plan), /# acme_bucket\.a|acme_bucket\.a will be created/);
  assert.ok(!String(plan).includes('hunter2') && !JSON.stringify(plan).includes('hunter2'));
  assert.deepEqual(plan.steps.map(({ needs }) => needs), [[], [0]]);

  const run = await plan.apply({ who: 'ann', why: 'a test' });
  const seen = [];
  for await (const event of run) {
    assert.ok(event.at instanceof Date);
    seen.push(event.type === 'step_finished' ? `${event.address} ${event.outcome}` : event.type);
  }
  assert.deepEqual(seen.filter((line) => line.endsWith(' done')), ['acme_bucket.a done', 'acme_bucket.b done']);
  assert.equal(seen.at(-1), 'run_finished');
  const report = await run.result();
  assert.deepEqual([report.status, report.done, report.outputs.url, report.outputs.token], ['succeeded', 2, 'https://x-a', HIDDEN]);
  assert.equal((await stack.outputs({ reveal: true })).token, 'hunter2');
  const { rows } = await stack.state();
  assert.deepEqual(rows.map(({ address, id, attributes }) => [address, id, attributes.token]), [['acme_bucket.a', 'b-x-a', HIDDEN], ['acme_bucket.b', 'b-of-b-x-a', HIDDEN]]);
  const [info] = await stack.runs();
  assert.deepEqual([info.id, info.status, info.who, info.why], [run.id, 'succeeded', 'ann', 'a test']);

  assert.equal((await stack.plan(template, { variables: { name: 'x' } })).isEmpty, true);
  const changed = Template.fromObject({ ...template.toJSON(), resource: { acme_bucket: { a: { name: 'x-a', size: 4 } } }, output: {} });
  const next = await stack.plan(changed, { variables: { name: 'x' } });
  assert.deepEqual(next.changes.map(({ address, action }) => `${action} ${address}`), ['update acme_bucket.a', 'delete acme_bucket.b']);
  await (await next.apply()).result();
  assert.equal(cloud.things.get('b-x-a').size, 4);
  await (await stack.destroy()).result();
  assert.equal(cloud.things.size, 0);
  await stack.forget();
  assert.deepEqual(await engine.stacks(), []);
});

test('drift is seen, refreshed and mended; what is there is adopted', async (t) => {
  const cloud = new Cloud();
  const engine = await open(t, cloud);
  const stack = engine.stack('drift');
  assert.equal(stack.name, 'default/drift');
  const text = Template.fromText('resource "acme_bucket" "a" {\n  name = "a"\n}\n');
  await (await stack.apply(text)).result();
  cloud.things.delete('b-a');
  const plan = await stack.plan(text);
  assert.deepEqual(plan.changes.map(({ action }) => action), ['create']);
  cloud.things.set('b-old', { name: 'old' });
  const adopting = await stack.plan(Template.fromText('resource "acme_bucket" "o" {\n  name = "old"\n}\n'), { imports: { 'acme_bucket.o': 'b-old' } });
  assert.equal(adopting.counts.import, 1);
  await (await adopting.apply()).result();
  assert.deepEqual((await stack.state()).rows.map(({ address }) => address), ['acme_bucket.o']);
  await stack.move('acme_bucket.o', 'acme_bucket.p');
  assert.deepEqual(await stack.forgetObjects('acme_bucket.p'), ['acme_bucket.p']);
  assert.ok(cloud.things.has('b-old'), 'it is left alone');
});

test('numbers lose nothing', async (t) => {
  const seen = [];
  const type = defineResource({
    type: 'acme_number',
    schema: { inputs: { big: s.bigint(), exact: s.decimal(), plain: s.number(), any: s.any() }, outputs: { id: s.string(), twice: s.bigint() } },
    create: (ctx, { want }) => (seen.push(want), { id: 'n', twice: want.big * 2n }),
    read: (ctx, { was }) => was.outputs,
    delete: () => {},
  });
  const engine = await opened(t, { resources: [type] });
  const stack = engine.stack('numbers');
  const template = Template.fromObject({
    variable: { big: {}, exact: {} },
    resource: { acme_number: { n: { big: '${var.big}', exact: '${var.exact}', plain: 1.5, any: [1, 12345678901234567890n] } } },
    output: { twice: { value: '${acme_number.n.twice}' }, exact: { value: '${acme_number.n.exact}' } },
  });
  const variables = { big: 123456789012345678901234567890n, exact: digits('0.1234567890123456789012345') };
  const { outputs } = await (await stack.apply(template, { variables })).result();
  assert.deepEqual(seen, [{ big: 123456789012345678901234567890n, exact: '0.1234567890123456789012345', plain: 1.5, any: [1, 12345678901234567890n] }]);
  assert.equal(outputs.twice, 246913578024691357802469135780n);
  assert.equal(String(outputs.exact), '0.1234567890123456789012345');
});

test('data sources and functions are called from templates', async (t) => {
  const zones = defineDataSource({
    type: 'acme_zones',
    schema: { inputs: { region: s.string() }, outputs: { names: s.list(s.string()) } },
    read: async (ctx, { want }) => ({ names: [`${want.region}-1`, `${want.region}-2`] }),
  });
  const shout = defineFunction({
    name: 'acme::shout',
    parameters: { text: s.string() },
    rest: s.number(),
    returns: s.string(),
    compute: (text, ...numbers) => text.toUpperCase() + '!'.repeat(numbers.length),
  });
  const engine = await opened(t, { dataSources: [zones], functions: [shout] });
  const template = Template.fromText(`
    terraform {
      required_providers {
        acme = {}
      }
    }
    data "acme_zones" "all" {
      region = "north"
    }
    output "zone" {
      value = provider::acme::shout(data.acme_zones.all.names[1], 1, 2)
    }
  `);
  const plan = await engine.stack('data').plan(template);
  assert.equal(plan.outputs.zone.value, 'NORTH-2!!');
});

test('a state file and a stored plan are taken up by another engine', async (t) => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'stackwright-'));
  try {
    const cloud = new Cloud();
    const store = path.join(folder, 'state.db');
    const text = Template.fromText('resource "acme_bucket" "a" {\n  name  = "a"\n  token = "hunter2"\n}\n');
    let sealed;
    {
      const engine = await open(t, cloud, { store });
      sealed = (await engine.stack('kept').plan(text)).toBytes();
      assert.ok(sealed instanceof Uint8Array && !Buffer.from(sealed).includes('hunter2'));
      await engine.close();
    }
    {
      const engine = await open(t, cloud, { store: `sqlite:///${store}` });
      const plan = await engine.stack('kept').openPlan(sealed);
      await (await plan.apply()).result();
      await engine.close();
    }
    const engine = await open(t, cloud, { store: new URL(`file://${store}`) });
    assert.deepEqual((await engine.stacks('default')).map(({ name }) => name), ['default/kept']);
    for (const file of await fs.readdir(folder)) assert.ok(!(await fs.readFile(path.join(folder, file))).includes('hunter2'), file);
  } finally {
    await fs.rm(folder, { recursive: true });
  }
});

test('expressions stand in values and in texts', () => {
  const template = new Template();
  const net = template.resource('acme_net', 'main', { cidr: '10.0.0.0/8' });
  const host = template.resource('acme_host', 'web', { count: 2, net: net.id, name: `web-${net.zone.name}`, first: net.subnets[0].id, odd: net.tags['a b'] });
  template.local('all', [host['*'].id, host, expression('upper("x")'), literal('${kept}')]);
  template.module('m', { source: './m', net });
  assert.deepEqual(template.toJSON(), {
    resource: {
      acme_net: { main: { cidr: '10.0.0.0/8' } },
      acme_host: { web: { count: 2, net: '${acme_net.main.id}', name: 'web-${acme_net.main.zone.name}', first: '${acme_net.main.subnets[0].id}', odd: '${acme_net.main.tags["a b"]}' } },
    },
    locals: { all: ['${acme_host.web[*].id}', '${acme_host.web}', '${upper("x")}', '$${kept}'] },
    module: { m: { source: './m', net: '${acme_net.main}' } },
  });
  assert.throws(() => template.resource('acme_net', 'main'), /has `acme_net.main` already/);
  assert.throws(() => template.resource('acme_net', 'no name'), /is no name/);
  assert.throws(() => {
    net.id = 'x';
  }, /cannot be changed/);
});

test('events are server-sent', async (t) => {
  const cloud = new Cloud();
  const engine = await open(t, cloud);
  const run = await engine.stack('sse').apply(Template.fromText('resource "acme_bucket" "a" {\n  name = "a"\n}\n'));
  const response = new Response(run.serverSentEvents(), { headers: { 'content-type': 'text/event-stream' } });
  const blocks = (await response.text()).trim().split('\n\n');
  assert.match(blocks[0], /^event: run_started\nid: 0\ndata: \{/);
  const [, last] = /^event: report\ndata: (.*)$/s.exec(blocks.at(-1));
  assert.equal(JSON.parse(last).status, 'succeeded');
});

test('every event reaches the sink', async (t) => {
  const cloud = new Cloud();
  const seen = [];
  const engine = await open(t, cloud, { onEvent: (event) => void seen.push(event.type) });
  await (await engine.stack('sink').apply(Template.fromText('resource "acme_bucket" "a" {\n  name = "a"\n}\n'))).result();
  await engine.close();
  assert.ok(seen.includes('planned') && seen.includes('step_finished') && seen.at(-1) === 'run_finished', seen.join());
});
