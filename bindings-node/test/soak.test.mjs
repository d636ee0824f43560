// Many calls: memory stays flat, and a call costs little. `make soak` is the long form.
//
// Reads while planning are measured, since there is little of the engine around them: what is left of a plan without reads is
// taken off.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Engine, defineResource, s } from 'stackwright';

const CALLS = Number(process.env.SOAK_CALLS ?? '5000');
const OBJECTS = 250;
// Caches of the store (16 MiB for a connection) and of the allocator fill with what is written, and take a while to be full: few
// objects, many reads.
const SOAKED = 50;
// How often memory may grow before it counts as a leak.
const ROUNDS = 4;

setFlagsFromString('--expose-gc');
const collect = globalThis.gc ?? runInNewContext('gc');
let calls = 0;

const type = defineResource({
  type: 'soak',
  schema: { inputs: { name: s.string().forceNew(), size: s.number().default(1) }, outputs: { id: s.string() } },
  async create(ctx, { want }) {
    calls += 1;
    return { id: want.name };
  },
  async read(ctx, { id }) {
    calls += 1;
    return { id };
  },
  async update() {
    calls += 1;
    return null;
  },
  async delete() {
    calls += 1;
  },
});

const template = (size, count = OBJECTS) => ({ resource: { soak: { a: { count, name: 'n${count.index}', size } } } });

/** Calls with a stack that has objects. Its history is on the disk, where it may grow. */
async function opened(count, body) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'soak-'));
  const engine = await Engine.open({ store: path.join(folder, 'state.db'), resources: [type] });
  try {
    const stack = engine.stack('soak');
    await (await stack.apply(template(1, count))).result();
    return await body(stack);
  } finally {
    await engine.close();
    fs.rmSync(folder, { recursive: true });
  }
}

async function residentKib() {
  // Finalizers run between two turns of the loop.
  for (let turn = 0; turn < 3; turn += 1) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return Number(/^VmRSS:\s+(\d+)/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]);
}

const isFlat = (seen) => seen.at(-1) <= seen.at(-2) * 1.05;

/**
 * Makes so many calls of all verbs, and as many again while that took memory: caches fill, what leaks takes some every time. Returns
 * the memory in KiB after each half.
 */
function soak(count) {
  return opened(SOAKED, async (stack) => {
    const seen = [];
    let size = 1;
    while (seen.length < 2 || (seen.length < 2 * ROUNDS && !isFlat(seen))) {
      const first = calls;
      while (calls - first < count / 2) {
        size += 1;
        for (let again = 0; again < 7; again += 1) await stack.plan(template(size, SOAKED));
        // A read and an update of each object.
        await (await stack.apply(template(size, SOAKED), { parallelism: 64 })).result();
      }
      seen.push(await residentKib());
    }
    return seen;
  });
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Returns the time of one call in µs, with so many in flight. */
function cost(parallelism, count) {
  return opened(OBJECTS, async (stack) => {
    const plan = async (refresh) => {
      const began = performance.now();
      await stack.plan(template(1), { refresh, parallelism });
      return performance.now() - began;
    };
    await plan(true);
    const rounds = Math.max(1, Math.floor(count / OBJECTS));
    const alone = [];
    for (let round = 0; round < Math.min(rounds, 10); round += 1) alone.push(await plan(false));
    const times = [];
    for (let round = 0; round < rounds; round += 1) times.push((await plan(true)) - Math.min(...alone));
    return (median(times) / OBJECTS) * 1000;
  });
}

if (process.env.SOAK_CALLS === undefined) {
  test('memory stays flat', { skip: !fs.existsSync('/proc/self/status') }, async () => {
    const seen = await soak(CALLS);
    assert.ok(isFlat(seen), `${seen} KiB after ${CALLS / 2} calls each`);
  });

  test('what a call costs can be measured', async () => {
    // How much it is depends on the machine: `make soak` prints it.
    const before = calls;
    await cost(16, 1000);
    assert.ok(calls - before >= 1000);
  });
} else {
  const costs = [];
  for (const parallelism of [1, 16, 256]) costs.push((await cost(parallelism, CALLS / 10)).toFixed(0));
  console.log(`${'node'.padEnd(12)}${costs.map((found) => found.padStart(12)).join('')}`);
  const seen = await soak(CALLS);
  console.log(`${'node'.padEnd(12)}memory after ${CALLS / 2} calls each: ${seen.join(', ')} KiB`);
  if (!isFlat(seen)) throw new Error('memory grows');
}
