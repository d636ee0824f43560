// A console: plans and applies one stack, and shows its graph and its progress to whoever looks.

import * as fs from 'node:fs';
import * as http from 'node:http';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Engine, StackwrightError, Template } from 'stackwright';
import { siteTypes } from './site.mjs';

const PAGE = fs.readFileSync(new URL('page.html', import.meta.url));

/** One stack that people look at: its plan, its run, and everything that happened in it. */
class Console {
  #stack;
  #template;
  #watchers = new Set();
  // What a page needs that comes late: it is told all of it again.
  #told = [];
  isBusy = false;

  constructor(stack, template) {
    this.#stack = stack;
    this.#template = template;
  }

  /** Sends what happened so far, then what happens; returns how to stop. */
  watch(send) {
    for (const message of this.#told) send(message);
    this.#watchers.add(send);
    return () => this.#watchers.delete(send);
  }

  #tell(type, data) {
    const message = { type, ...data };
    this.#told.push(message);
    for (const send of this.#watchers) send(message);
  }

  async plan(mode) {
    const plan = await this.#stack.plan(this.#template, { mode });
    this.#told = [];
    const steps = plan.steps.map(({ address, action, needs }) => ({ address, action, needs }));
    this.#tell('plan', { mode, steps, isEmpty: plan.isEmpty, counts: plan.counts, text: String(plan) });
    return plan;
  }

  /** Begins; whoever watches sees how it goes. */
  async begin(mode) {
    if (this.isBusy) return false;
    this.isBusy = true;
    try {
      const run = await (await this.plan(mode)).apply({ who: 'the console' });
      void this.#follow(run);
      return true;
    } catch (error) {
      this.isBusy = false;
      throw error;
    }
  }

  async #follow(run) {
    try {
      for await (const event of run) this.#tell('event', { event });
      const { status, outputs, problems } = await run.wait();
      const said = problems.map(({ address, error }) => ({ address, code: error.code, message: error.message }));
      this.#tell('report', { status, outputs, problems: said });
    } catch (error) {
      this.#tell('report', { status: 'paused', outputs: {}, problems: [{ address: '', code: error.code, message: error.message }] });
    } finally {
      this.isBusy = false;
    }
  }
}

async function answer(shown, request, response) {
  const asked = `${request.method} ${new URL(request.url, 'http://console').pathname}`;
  switch (asked) {
    case 'GET /':
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE);
      return;
    case 'GET /events': {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      const stop = shown.watch((message) => response.write(`data: ${JSON.stringify(message)}\n\n`));
      request.on('close', stop);
      return;
    }
    case 'POST /plan':
      if (!shown.isBusy) await shown.plan('normal');
      response.writeHead(204).end();
      return;
    case 'POST /apply':
    case 'POST /destroy':
      response.writeHead((await shown.begin(asked.endsWith('apply') ? 'normal' : 'destroy')) ? 202 : 409).end();
      return;
    default:
      response.writeHead(404).end();
  }
}

/** Serves a console of the site below a folder; returns its address and how to close it. */
export async function serve({ folder, port = 0, linger, template = Template.fromPath(new URL('site.tf', import.meta.url)) }) {
  fs.mkdirSync(folder, { recursive: true });
  const engine = await Engine.open({ store: path.join(folder, 'state.db'), resources: siteTypes(folder, { linger }) });
  const shown = new Console(engine.stack('console/site'), template);
  const server = http.createServer((request, response) => {
    answer(shown, request, response).catch((error) => {
      const status = error instanceof StackwrightError ? 400 : 500;
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(error.message);
    });
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await engine.close();
    },
  };
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { address } = await serve({ folder: process.argv[2] ?? 'site-data', port: 8080, linger: () => sleep(700) });
  console.log(`look at ${address}`);
}
