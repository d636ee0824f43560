// One step of the proof: `spike.mjs COMMAND FOLDER`. tests/bindings.sh calls it and looks at the folder afterwards.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { Engine, StackwrightError } from './bridge.mjs';
import { Bucket } from './bucket.mjs';

const LEASE_TTL_MS = 1500;

function template(name, [from, to] = ['', '']) {
  const text = fs.readFileSync(new URL(`../../tests/bindings/${name}`, import.meta.url), 'utf8');
  return { 'main.tf': text.replace(from, to) };
}

function sorted(values) {
  return [...values].sort();
}

async function carryOut(engine, files, { mode = 'normal', ...options } = {}) {
  const plan = await engine.plan(files, mode);
  return (await plan.apply({ parallelism: 3, who: 'spike', ...options })).finish();
}

async function refuses(engine, text, code, problem) {
  await assert.rejects(engine.plan({ 'main.tf': text }), (error) => {
    assert.ok(error instanceof StackwrightError);
    assert.deepEqual([error.kind, error.code], ['invalid_input', code]);
    return error.rest.diagnostics.some((found) => found.code.startsWith(problem));
  });
}

const commands = {
  async apply(engine) {
    const plan = await engine.plan(template('main.tf'));
    assert.deepEqual([...new Set(plan.data.changes.map(([, action]) => action))], ['create']);
    const report = await (await plan.apply({ parallelism: 3 })).finish();
    assert.equal(report.status, 'succeeded');
    assert.equal(report.outputs.mirror.value, 'https://buckets.example/mirror');
  },

  async resume(engine) {
    const run = await engine.unfinishedRun();
    assert.notEqual(run, null, 'an unfinished run');
    const deadline = performance.now() + 30_000;
    const resume = async () => {
      for (;;) {
        try {
          return await engine.resume(run, { parallelism: 3 });
        } catch (error) {
          // The dead process's lease has to run out.
          if (error.code !== 'lease.held' || performance.now() > deadline) throw error;
          await sleep(50);
        }
      }
    };
    const report = await (await resume()).finish();
    assert.deepEqual(report.problems, []);
    assert.equal(report.status, 'succeeded');
  },

  async verify(engine, bucket) {
    const rows = await engine.state();
    assert.equal(rows.length, 6);
    assert.ok(rows.every((row) => row.status === 'current' && row.ready));
    const buckets = bucket.cloud.buckets();
    assert.deepEqual(sorted(rows.map((row) => row.id)), sorted(buckets.map((found) => found.id)));
    assert.deepEqual(sorted(rows.map((row) => row.object_id)), sorted(buckets.map((found) => found.key)));
    assert.equal(await engine.unfinishedRun(), null);
    const plan = await engine.plan(template('main.tf'));
    assert.deepEqual([plan.data.is_empty, plan.data.changes], [true, []]);
  },

  async upgrade(engine, bucket) {
    const plan = await engine.plan(template('main.tf'));
    assert.deepEqual([plan.data.changes, bucket.upgraded], [[], 6]);
    const report = await (await plan.apply()).finish();
    assert.equal(report.status, 'succeeded');
    const again = await engine.plan(template('main.tf'));
    assert.deepEqual([again.data.changes, bucket.upgraded], [[], 6]);
  },

  async update(engine, bucket) {
    const plan = await engine.plan(template('main.tf', ['count.index + 1', 'count.index + 10']));
    assert.deepEqual(plan.data.changes.map(([, action]) => action), Array(4).fill('update'));
    const report = await (await plan.apply({ parallelism: 3 })).finish();
    assert.equal(report.status, 'succeeded');
    const sizes = bucket.cloud.buckets().map((found) => found.size);
    assert.deepEqual(sizes.sort((a, b) => a - b), [1, 1, 10, 11, 12, 13]);
  },

  async destroy(engine, bucket) {
    const report = await carryOut(engine, template('main.tf'), { mode: 'destroy' });
    assert.equal(report.status, 'succeeded');
    assert.deepEqual(await engine.state(), []);
    assert.deepEqual(bucket.cloud.buckets(), []);
  },

  async faults(engine, bucket) {
    const names = () => sorted(bucket.cloud.buckets().map((found) => found.name));
    const statuses = async () => (await engine.state()).map((row) => [row.address.split('.')[1], row.status]);
    const first = await carryOut(engine, template('faults.tf'), { on_failure: 'continue' });
    assert.equal(first.status, 'failed');
    const problems = first.problems.map(({ address, error }) => [address, error.kind, error.code, error.effect]);
    assert.deepEqual(sorted(problems), [
      ['acme_bucket.refused', 'denied', 'acme.quota', 'none'],
      ['acme_bucket.torn', 'unavailable', 'acme.torn', 'none'],
    ]);
    assert.deepEqual(await statuses(), [['raised', 'current'], ['torn', 'tainted']]);
    assert.deepEqual(names(), ['raised', 'torn']);
    const second = await carryOut(engine, template('faults.tf'));
    assert.equal(second.status, 'succeeded');
    const all = ['raised', 'refused', 'torn'];
    assert.deepEqual(await statuses(), all.map((name) => [name, 'current']));
    assert.deepEqual(names(), all);
    await refuses(engine, 'resource "acme_bukkit" "a" {', 'template.invalid', 'syntax.');
    await refuses(engine, 'resource "acme_bucket" "a" {\n name = "Loud"\n}', 'plan.failed', 'acme.name');
    // What is wrong only comes out once it is known: before anything is made.
    const files = { ...template('faults.tf'), 'late.tf': template('late.tf')['main.tf'] };
    const third = await carryOut(engine, files);
    const refused = third.problems.map(({ address, error }) => [address, error.code, error.effect]);
    assert.deepEqual(refused, [['acme_bucket.late', 'acme.name', 'none']]);
    assert.deepEqual(names(), ['early', ...all]);
  },

  async cancel(engine, bucket) {
    const plan = await engine.plan(template('main.tf'));
    const run = await plan.apply({ parallelism: 3 });
    const [drain, hurry] = [new AbortController(), new AbortController()];
    let done = false;
    const end = run.finish({ signal: drain.signal, hurry: hurry.signal }).finally(() => (done = true));
    const ctx = await bucket.waiting;
    // Once: nothing new starts, and what runs is waited for.
    drain.abort();
    await sleep(0);
    assert.deepEqual([done, ctx.isCancelled], [false, false]);
    // Twice: what runs is told to end.
    hurry.abort();
    const report = await end;
    // What was made was not awaited until it works: the run is settled by going on with it, and stays cancelled.
    assert.ok(['cancelled', 'running'].includes(report.status));
    if (report.status === 'running') {
      const settled = await (await engine.resume(await engine.unfinishedRun())).finish();
      assert.equal(settled.status, 'cancelled');
    }
    const [rows, buckets] = [await engine.state(), bucket.cloud.buckets()];
    assert.deepEqual(sorted(rows.map((row) => row.id)), sorted(buckets.map((found) => found.id)));
    assert.ok(rows.length < 6);
    const rest = await carryOut(engine, template('main.tf'));
    assert.equal(rest.status, 'succeeded');
  },
};

const [command, folder] = process.argv.slice(2);
const bucket = new Bucket(folder);
const engine = await Engine.open(folder, { acme_bucket: bucket }, LEASE_TTL_MS);
await commands[command](engine, bucket);
