// The cases that every language runs, with the same plans, events and errors: tests/cases/README.md says how they read.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import test from 'node:test';
import { HIDDEN, Template } from 'stackwright';
import { World, thing } from './thing.mjs';
import { opened } from './world.mjs';

const folder = process.env.STACKWRIGHT_CASES ?? path.join(import.meta.dirname, '../../tests/cases/stacks');
const names = fs.readdirSync(folder).filter((name) => name.endsWith('.md')).sort();

const written = (value) => (value === HIDDEN ? '(sensitive)' : JSON.stringify(value));

async function followed(run) {
  const events = [];
  for await (const { type, address } of run) events.push({ type, address });
  // A step may still be on its way to work when another begins.
  const begun = new Map(events.map(({ address }, at) => [address ?? at, at]).reverse());
  const ordered = events.map((event, at) => [begun.get(event.address ?? at), event]).sort(([a], [b]) => a - b);
  const lines = ordered.map(([, { type, address }]) => (address === undefined ? type : `${type} ${address}`));
  const report = await run.wait();
  for (const { address, error } of report.problems) lines.push(`! ${address}: ${error.kind} ${error.code} ${error.effect}: ${error.message}`);
  for (const [name, value] of Object.entries(report.outputs)) lines.push(`${name} = ${written(value)}`);
  return [...lines, report.status];
}

async function refused(planning) {
  const error = await planning.then(() => assert.fail('it was planned'), (thrown) => thrown);
  const problems = error.diagnostics.map(({ code, message, place, address }) => {
    const where = place ? `${place.file}:${place.line}:${place.column}` : (address ?? '-');
    return `${where} ${code}: ${message}`;
  });
  return [`${error.kind} ${error.code}`, ...problems];
}

const sorted = (value) => (value !== null && typeof value === 'object' && !Array.isArray(value) ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, value[key]])) : value);

for (const name of names) {
  test(`case ${name}`, async (t) => {
    const world = new World();
    const engine = await opened(t, { resources: [thing(world)] });
    const stack = engine.stack('acme/case');
    const text = fs.readFileSync(path.join(folder, name), 'utf8');
    let [template, variables] = [new Template(), {}];
    const asked = (mode) => stack.plan(template, { variables, mode, parallelism: 1 });
    const applied = async (mode) => followed(await (await asked(mode)).apply({ parallelism: 1 }));
    for (const [, kind, body] of text.matchAll(/^```\w+ (\w+)\n([\s\S]*?)^```$/gm)) {
      const lines = {
        template: () => void (template = Template.fromText(body)),
        variables: () => void (variables = JSON.parse(body)),
        plan: async () => String(await asked('normal')).trimEnd().split('\n'),
        apply: () => applied('normal'),
        destroy: () => applied('destroy'),
        error: () => refused(asked('normal')),
        state: async () => (await stack.state()).rows.map(({ address, id, status, attributes }) => `${address} ${id} ${status} ${JSON.stringify(sorted(attributes))}`),
        world: () => [...world.things].map(([id, { name: called, size }]) => `${id} ${called} ${size}`).sort(),
      }[kind];
      assert.ok(lines, `\`${kind}\` is no block of a case`);
      const found = await lines();
      const said = found?.length === 0 ? ['nothing'] : found;
      if (said !== undefined) assert.equal(`${said.join('\n')}\n`, body, `${name}: \`${kind}\``);
    }
  });
}

test('there are cases', () => assert.ok(names.length >= 5));
