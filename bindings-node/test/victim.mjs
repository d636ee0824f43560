// A program that is killed while a creation stands still, and the one that goes on. The cloud is a file.

import fs from 'node:fs';
import path from 'node:path';
import { Engine, Template, defineResource, s } from 'stackwright';

const [, , mode, folder] = process.argv;
const place = path.join(folder, 'cloud.jsonl');
const things = () => (fs.existsSync(place) ? fs.readFileSync(place, 'utf8').trim().split('\n').map((line) => JSON.parse(line)) : []);

const thing = defineResource({
  type: 'acme_thing',
  schema: { inputs: { name: s.string() }, outputs: { id: s.string() } },
  async create(ctx, { want }) {
    fs.appendFileSync(place, `${JSON.stringify({ id: `t-${want.name}`, name: want.name, key: ctx.idempotencyKey })}\n`);
    if (mode === 'apply' && want.name === 'n1') {
      await ctx.checkpoint(`t-${want.name}`);
      process.stdout.write('stands still\n');
      await new Promise(() => setInterval(() => {}, 1000));
    }
    return { id: `t-${want.name}` };
  },
  async read(ctx, { id }) {
    return things().some((each) => each.id === id) ? { id } : null;
  },
  async delete() {},
});

const engine = await Engine.open({ store: path.join(folder, 'state.db'), resources: [thing], leaseTtl: 500 });
const stack = engine.stack('victim');
const template = Template.fromText('resource "acme_thing" "a" {\n  count = 3\n  name  = "n${count.index}"\n}\n');
if (mode === 'apply') {
  await (await stack.apply(template, { parallelism: 1 })).result();
} else {
  const unfinished = await stack.unfinishedRun();
  let run;
  while (run === undefined) {
    try {
      run = await stack.resume(unfinished);
    } catch (error) {
      if (error.code !== 'lease.held') throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  const { status } = await run.result();
  const made = things();
  console.log(JSON.stringify({ status, made: made.map(({ name }) => name).sort(), keys: new Set(made.map(({ key }) => key)).size, rows: (await stack.state()).rows.length }));
}
await engine.close();
