import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { Engine, NeverReady, Template } from 'stackwright';
import { Cloud, bucket, opened } from './world.mjs';

const many = (count) => Template.fromText(`resource "acme_bucket" "a" {\n  count = ${count}\n  name  = "n\${count.index}"\n}\n`);

/** A gate that calls wait at, and that says when they do. */
function gate() {
  let open, arrived;
  const opened = new Promise((resolve) => (open = resolve));
  const reached = new Promise((resolve) => (arrived = resolve));
  return { opened, reached, open, arrived };
}

test('cancelling drains: what runs is finished, nothing is started', async (t) => {
  const cloud = new Cloud();
  const { opened: gateOpened, reached, open, arrived } = gate();
  const create = bucket(cloud).definition.create;
  const engine = await opened(t, {
    resources: [bucket(cloud, {
      async create(ctx, call) {
        arrived();
        await gateOpened;
        return create(ctx, call);
      },
    })],
  });
  const stack = engine.stack('cancel');
  const controller = new AbortController();
  const run = await stack.apply(many(3), { parallelism: 1, signal: controller.signal });
  await reached;
  controller.abort();
  open();
  await assert.rejects(run.result(), (error) => error.code === 'run.cancelled');
  assert.deepEqual([run.report.status, run.report.done, run.report.skipped, cloud.things.size], ['cancelled', 1, 2, 1]);
  const next = await stack.apply(many(3));
  assert.equal((await next.result()).done, 2);
});

test('a signal ends planning, and calls see theirs', async (t) => {
  const cloud = new Cloud();
  const { reached, arrived } = gate();
  let tell;
  const told = new Promise((resolve) => (tell = resolve));
  const engine = await opened(t, {
    resources: [bucket(cloud, {
      async read(ctx) {
        arrived();
        tell(await new Promise((resolve) => ctx.signal.addEventListener('abort', () => resolve(ctx.signal.reason))));
        throw ctx.signal.reason;
      },
    })],
  });
  const stack = engine.stack('signal');
  await (await stack.apply(many(1))).result();
  const controller = new AbortController();
  const planning = stack.plan(many(1), { signal: controller.signal });
  await reached;
  controller.abort(new Error('no longer'));
  await assert.rejects(planning, /no longer/);
  // Planning does not wait for calls that it gave up, so they may be told a little later.
  assert.equal((await told).code, 'run.cancelled');
  await assert.rejects(stack.plan(many(1), { signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('calls run side by side on the thread of JavaScript, the engine on its own', async (t) => {
  const cloud = new Cloud();
  const { opened: gateOpened, open } = gate();
  let running = 0;
  const create = bucket(cloud).definition.create;
  const engine = await Engine.open({
    resources: [bucket(cloud, {
      async create(ctx, call) {
        running += 1;
        if (running === 8) open();
        await gateOpened;
        return create(ctx, call);
      },
    })],
  });
  await (await engine.stack('many').apply(many(8), { parallelism: 8 })).result();
  assert.equal(running, 8);
  await engine.close();

  const require = createRequire(import.meta.url);
  const { native } = require(path.join(path.dirname(require.resolve('stackwright/package.json')), 'lib', 'native.js'));
  const letters = [];
  const raw = new native.Engine(() => letters.push(...raw.take()), () => '');
  raw.thread(1);
  while (letters.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const [{ text }] = letters;
  assert.match(JSON.parse(text).ok, /^stackwright/);
  assert.notEqual(JSON.parse(text).ok, native.currentThread());
  raw.close();
});

test('what is stored in an async context is there in verbs', async (t) => {
  const storage = new AsyncLocalStorage();
  const seen = [];
  const cloud = new Cloud();
  const create = bucket(cloud).definition.create;
  const engine = await opened(t, {
    resources: [bucket(cloud, {
      create(ctx, call) {
        seen.push(storage.getStore());
        return create(ctx, call);
      },
    })],
  });
  await storage.run('request 7', async () => (await engine.stack('context').apply(many(2))).result());
  assert.deepEqual(seen, ['request 7', 'request 7']);
});

test('readiness is waited for, and may never come', async (t) => {
  const cloud = new Cloud();
  let asked = 0;
  const engine = await opened(t, {
    resources: [bucket(cloud, {
      readyInterval: 1,
      ready(ctx, { id }) {
        asked += 1;
        if (id === 'b-n1') throw new NeverReady('it fell over');
        return asked > 3 ? true : 'it boots';
      },
    })],
  });
  const run = await engine.stack('ready').apply(many(1));
  await run.result();
  assert.ok(asked > 3);
  const worse = await engine.stack('worse').apply(many(2));
  await assert.rejects(worse.result(), /it fell over/);
});

test('an engine works in a worker thread', async (t) => {
  const worker = new Worker(new URL('./worker.mjs', import.meta.url));
  const exited = once(worker, 'exit');
  const [message] = await once(worker, 'message');
  assert.deepEqual(message, { status: 'succeeded', done: 3 });
  assert.deepEqual(await exited, [0]);
});

test('an engine that was not closed does not keep Node alive', async (t) => {
  const code = `
    import { Engine } from 'stackwright';
    const engine = await Engine.open();
    await engine.stack('x').state();
    console.log('over');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { cwd: path.dirname(new URL(import.meta.url).pathname), stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const [output] = await once(child.stdout, 'data');
  assert.equal(String(output).trim(), 'over');
  assert.deepEqual(await exited, [0, null]);
});

test('a run whose process was killed is taken up, and nothing is made twice', async (t) => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'stackwright-'));
  try {
    const start = (mode) => spawn(process.execPath, [new URL('./victim.mjs', import.meta.url).pathname, mode, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    const victim = start('apply');
    for await (const chunk of victim.stdout) {
      if (String(chunk).includes('stands still')) break;
    }
    const exited = once(victim, 'exit');
    victim.kill('SIGKILL');
    await exited;
    const successor = start('resume');
    let said = '';
    for await (const chunk of successor.stdout) said += chunk;
    assert.deepEqual(JSON.parse(said), { status: 'succeeded', made: ['n0', 'n1', 'n2'], keys: 3, rows: 3 });
  } finally {
    await fs.rm(folder, { recursive: true });
  }
});
