// Every snippet of the README runs.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';

const place = path.join(path.dirname(createRequire(import.meta.url).resolve('stackwright/package.json')), 'README.md');
const snippets = [...fs.readFileSync(place, 'utf8').matchAll(/^```js\n(.*?)^```$/gms)].map(([, text]) => text);
const said = [/run_started[\s\S]*https:\/\/assets\.example\n$/, /^\{"variable":.*acme_host\.web/, /create acme_flaky\.a true\nrun\.failed true\n$/, /^1\d 0\n$/];

assert.equal(snippets.length, said.length, 'each snippet has its answer here');
for (const [idx, text] of snippets.entries()) {
  test(`snippet ${idx + 1} of the README`, () => {
    const here = path.dirname(new URL(import.meta.url).pathname);
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', text], { cwd: here, encoding: 'utf8', timeout: 60_000 });
    assert.equal(stderr, '');
    assert.match(stdout, said[idx]);
    assert.equal(status, 0);
  });
}
