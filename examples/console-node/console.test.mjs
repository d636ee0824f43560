// The console in a real browser: what people click, and what they see.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import test from 'node:test';
import { conform } from 'stackwright/testing';
import { Browser, chromium } from './browser.mjs';
import { serve } from './server.mjs';
import { siteTypes } from './site.mjs';

const program = chromium();
// Left out on a machine without a browser; never where everything is to be tried.
const skip = program === undefined && process.env.CI !== 'true' ? 'no Chromium is on PATH' : false;

function folder(t) {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'console-'));
  t.after(() => fs.rmSync(made, { recursive: true, force: true }));
  return made;
}

async function shown(t, options) {
  const place = fs.mkdtempSync(path.join(os.tmpdir(), 'console-'));
  const server = await serve({ folder: place, ...options });
  const browser = new Browser(program);
  t.after(async () => {
    await browser.close();
    await server.close();
    fs.rmSync(place, { recursive: true, force: true });
  });
  await browser.open(server.address);
  return { browser, place, address: server.address };
}

/** Waits until something is so in the page. */
const until = (browser, condition) =>
  browser.evaluate(`new Promise((resolve) => {
    const look = () => (${condition}) && resolve();
    new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    look();
  })`);

/** Clicks as soon as it can be clicked, and waits until the page says how it went. */
async function clicked(browser, button, status) {
  await until(browser, `!document.querySelector('[data-ask=${button}]').disabled`);
  return browser.evaluate(`new Promise((resolve) => {
    const status = document.querySelector('#status');
    const look = () => new RegExp(${JSON.stringify(status)}).test(status.textContent) && resolve(status.textContent);
    new MutationObserver(look).observe(status, { childList: true });
    document.querySelector('[data-ask=${button}]').click();
  })`);
}

const states = (browser) => browser.evaluate(`Object.fromEntries([...document.querySelectorAll('.node')].map((node) => [node.dataset.address, node.dataset.state]))`);

test('a stack is planned, applied and destroyed in a page', { skip, timeout: 120_000 }, async (t) => {
  const { browser, place, address } = await shown(t);
  assert.equal(await clicked(browser, 'plan', 'planned'), '7 steps planned');
  assert.deepEqual(new Set(Object.values(await states(browser))), new Set(['waiting']));
  // What is needed by way of another need is not drawn: folder to four pages, those to the index, that to the archive.
  assert.equal(await browser.evaluate('document.querySelectorAll(".edge").length'), 9);

  assert.equal(await clicked(browser, 'apply', 'succeeded|failed'), 'succeeded');
  const done = await states(browser);
  assert.deepEqual(new Set(Object.values(done)), new Set(['done']));
  assert.ok('site_page.section["shop"]' in done);
  assert.equal(await browser.evaluate('document.querySelector("#count").textContent'), '7 / 7');
  assert.match(await browser.evaluate('document.querySelector("#log").textContent'), /site_archive\.all packing 5 pages/);
  assert.match(await browser.evaluate('document.querySelector("#outputs").textContent'), /site\/index\.html/);
  assert.deepEqual(fs.readdirSync(path.join(place, 'site')).length, 5);

  // Whoever comes late sees the same.
  await browser.visit(address);
  await until(browser, "document.querySelector('#status').textContent === 'succeeded'");
  assert.deepEqual(await states(browser), done);
  if (process.env.SCREENSHOTS) await browser.screenshot(path.join(process.env.SCREENSHOTS, 'done.png'));

  assert.equal(await clicked(browser, 'plan', 'nothing'), 'nothing to do');
  assert.equal(await clicked(browser, 'destroy', 'succeeded|failed'), 'succeeded');
  assert.equal(fs.existsSync(path.join(place, 'site')), false);
});

test('what fails is seen where it failed', { skip, timeout: 120_000 }, async (t) => {
  const { browser, place } = await shown(t);
  await clicked(browser, 'plan', 'planned');
  // Somebody puts a folder where a page is to be.
  fs.mkdirSync(path.join(place, 'site/news.html'), { recursive: true });
  assert.equal(await clicked(browser, 'apply', 'succeeded|failed|stuck'), 'failed');
  const found = await states(browser);
  assert.equal(found['site_page.section["news"]'], 'failed');
  assert.equal(found['site_archive.all'], 'skipped');
  if (process.env.SCREENSHOTS) {
    await browser.setDark();
    await browser.screenshot(path.join(process.env.SCREENSHOTS, 'failed.png'));
  }
});

test('a run is followed while it goes on', { skip, timeout: 120_000 }, async (t) => {
  let goOn;
  const seen = new Promise((resolve) => (goOn = resolve));
  t.after(() => goOn());
  const { browser } = await shown(t, { linger: async ({ typeName }) => typeName === 'site_page' && seen });
  await clicked(browser, 'apply', 'running');
  // The pages are written at the same time, and none is done before this has been seen.
  await until(browser, "document.querySelectorAll('[data-state=running]').length === 4");
  assert.equal(await browser.evaluate('document.querySelector("[data-ask=apply]").disabled'), true);
  if (process.env.SCREENSHOTS) await browser.screenshot(path.join(process.env.SCREENSHOTS, 'running.png'));
  goOn();
  await until(browser, "document.querySelector('#status').textContent === 'succeeded'");
});

test('the types conform', async (t) => {
  const place = folder(t);
  const [folders, pages] = siteTypes(place);
  await conform(folders, { config: { name: 'f{n}' } });
  const page = { folder: place, name: 'p{n}', text: 'one' };
  await conform(pages, { config: page, changed: { ...page, text: 'two' } });
  assert.deepEqual(fs.readdirSync(place), []);
});
