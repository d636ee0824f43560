// One step of the proof: `step.mjs COMMAND FOLDER`. tests/bindings.sh calls it and looks at the folder afterwards.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { Engine, InvalidInputError, Template } from 'stackwright';

import { bucketType } from './bucket.mjs';

const LEASE_TTL_MS = 1500;

const text = (name) => fs.readFileSync(`${process.env.BUCKET_TEMPLATES}/${name}`, 'utf8');

function template(name, [from, to] = ['', '']) {
  return Template.fromText(text(name).replace(from, to));
}

/** Whatever a run comes to. */
async function reportOf(starting) {
  return (await starting).wait();
}

const actions = (plan) => plan.changes.map(({ action }) => action);

function sorted(values) {
  return [...values].sort();
}

function carryOut(stack, wanted, options = {}) {
  return reportOf(stack.apply(wanted, { parallelism: 3, who: 'a test', ...options }));
}

async function refuses(stack, text, code, problem) {
  await assert.rejects(stack.plan(Template.fromText(text)), (error) => {
    assert.ok(error instanceof InvalidInputError);
    assert.equal(error.code, code);
    return error.diagnostics.some((found) => found.code.startsWith(problem));
  });
}

const commands = {
  async apply(stack) {
    const plan = await stack.plan(template('main.tf'));
    assert.deepEqual([...new Set(actions(plan))], ['create']);
    const report = await reportOf(plan.apply({ parallelism: 3 }));
    assert.equal(report.status, 'succeeded');
    assert.equal(report.outputs.mirror, 'https://buckets.example/mirror');
  },

  async resume(stack) {
    const run = await stack.unfinishedRun();
    assert.notEqual(run, null, 'an unfinished run');
    const deadline = performance.now() + 30_000;
    const resume = async () => {
      for (;;) {
        try {
          return await stack.resume(run, { parallelism: 3 });
        } catch (error) {
          // The dead process's lease has to run out.
          if (error.code !== 'lease.held' || performance.now() > deadline) throw error;
          await sleep(50);
        }
      }
    };
    const report = await reportOf(resume());
    assert.deepEqual(report.problems, []);
    assert.equal(report.status, 'succeeded');
  },

  async verify(stack, { cloud }) {
    const { rows } = await stack.state();
    assert.equal(rows.length, 6);
    assert.ok(rows.every((row) => row.status === 'current' && row.ready));
    const buckets = cloud.buckets();
    assert.deepEqual(sorted(rows.map((row) => row.id)), sorted(buckets.map((found) => found.id)));
    assert.deepEqual(sorted(rows.map((row) => row.objectId)), sorted(buckets.map((found) => found.key)));
    assert.equal(await stack.unfinishedRun(), null);
    const plan = await stack.plan(template('main.tf'));
    assert.deepEqual([plan.isEmpty, plan.changes], [true, []]);
  },

  async upgrade(stack, world) {
    const plan = await stack.plan(template('main.tf'));
    assert.deepEqual([plan.changes, world.upgraded], [[], 6]);
    assert.equal((await reportOf(plan.apply())).status, 'succeeded');
    const again = await stack.plan(template('main.tf'));
    assert.deepEqual([again.changes, world.upgraded], [[], 6]);
  },

  async update(stack, { cloud }) {
    const plan = await stack.plan(template('main.tf', ['count.index + 1', 'count.index + 10']));
    assert.deepEqual(actions(plan), Array(4).fill('update'));
    assert.equal((await reportOf(plan.apply({ parallelism: 3 }))).status, 'succeeded');
    const sizes = cloud.buckets().map((found) => found.size);
    assert.deepEqual(sizes.sort((a, b) => a - b), [1, 1, 10, 11, 12, 13]);
  },

  async destroy(stack, { cloud }) {
    const report = await carryOut(stack, template('main.tf'), { mode: 'destroy' });
    assert.equal(report.status, 'succeeded');
    assert.deepEqual((await stack.state()).rows, []);
    assert.deepEqual(cloud.buckets(), []);
  },

  async faults(stack, { cloud }) {
    const names = () => sorted(cloud.buckets().map((found) => found.name));
    const statuses = async () => (await stack.state()).rows.map((row) => [row.address.split('.')[1], row.status]);
    const first = await carryOut(stack, template('faults.tf'), { onFailure: 'continue' });
    assert.equal(first.status, 'failed');
    const problems = first.problems.map(({ address, error }) => [address, error.kind, error.code, error.effect]);
    assert.deepEqual(sorted(problems), [
      ['acme_bucket.refused', 'denied', 'acme.quota', 'none'],
      ['acme_bucket.torn', 'unavailable', 'acme.torn', 'none'],
    ]);
    assert.deepEqual(await statuses(), [['raised', 'current'], ['torn', 'tainted']]);
    assert.deepEqual(names(), ['raised', 'torn']);
    const second = await carryOut(stack, template('faults.tf'));
    assert.equal(second.status, 'succeeded');
    const all = ['raised', 'refused', 'torn'];
    assert.deepEqual(await statuses(), all.map((name) => [name, 'current']));
    assert.deepEqual(names(), all);
    await refuses(stack, 'resource "acme_bukkit" "a" {', 'template.invalid', 'syntax.');
    await refuses(stack, 'resource "acme_bucket" "a" {\n name = "Loud"\n}', 'plan.failed', 'acme.name');
    // What is wrong only comes out once it is known: before anything is made.
    const third = await carryOut(stack, Template.fromFiles({ 'main.tf': text('faults.tf'), 'late.tf': text('late.tf') }));
    const refused = third.problems.map(({ address, error }) => [address, error.code, error.effect]);
    assert.deepEqual(refused, [['acme_bucket.late', 'acme.name', 'none']]);
    assert.deepEqual(names(), ['early', ...all]);
  },

  async cancel(stack, { cloud, waiting }) {
    const run = await stack.apply(template('main.tf'), { parallelism: 3 });
    const ctx = await waiting;
    // Once: nothing new starts, and what runs is waited for.
    run.cancel();
    await sleep(0);
    assert.deepEqual([run.report, ctx.isCancelled], [undefined, false]);
    // Twice: what runs is told to end.
    run.cancelNow();
    const report = await run.wait();
    // What was made was not awaited until it works: the run is settled by going on with it, and stays cancelled.
    assert.ok(['cancelled', 'running'].includes(report.status));
    if (report.status === 'running') {
      const settled = await reportOf(stack.resume(await stack.unfinishedRun()));
      assert.equal(settled.status, 'cancelled');
    }
    const [{ rows }, buckets] = [await stack.state(), cloud.buckets()];
    assert.deepEqual(sorted(rows.map((row) => row.id)), sorted(buckets.map((found) => found.id)));
    assert.ok(rows.length < 6);
    assert.equal((await carryOut(stack, template('main.tf'))).status, 'succeeded');
  },
};

const [command, folder] = process.argv.slice(2);
const world = bucketType(folder);
const engine = await Engine.open({ store: `${folder}/state.db`, resources: [world.type], leaseTtl: LEASE_TTL_MS });
await commands[command](engine.stack('killed'), world);
await engine.close();
