// A headless Chromium, driven through a pipe: what the test needs of the DevTools protocol.

import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

/** Returns where a Chromium is, if there is one. */
export function chromium() {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const places = (process.env.PATH ?? '').split(path.delimiter).flatMap((folder) => names.map((name) => path.join(folder, name)));
  return [process.env.CHROMIUM, ...places].find((place) => place && fs.existsSync(place));
}

export class Browser {
  #process;
  #last = 0;
  #waiting = new Map();
  #profile = fs.mkdtempSync(path.join(os.tmpdir(), 'chromium-'));
  #session;
  // Pages that are there, and who waits for one.
  #loads = new Map();

  constructor(program) {
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--remote-debugging-pipe', `--user-data-dir=${this.#profile}`, '--window-size=1280,720'];
    this.#process = spawn(program, flags, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    let text = '';
    this.#process.stdio[4].setEncoding('utf8').on('data', (part) => {
      const messages = (text + part).split('\0');
      text = messages.pop();
      for (const { id, result, error, method, params } of messages.map((message) => JSON.parse(message))) {
        if (method === 'Page.lifecycleEvent' && params.name === 'load') this.#loaded(params.loaderId);
        const waits = this.#waiting.get(id);
        this.#waiting.delete(id);
        if (error) waits?.reject(new Error(error.message));
        else waits?.resolve(result);
      }
    });
    this.#process.on('exit', () => this.#waiting.forEach(({ reject }) => reject(new Error('the browser is gone'))));
  }

  #ask(method, params = {}) {
    const id = ++this.#last;
    this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId: this.#session })}\0`);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  async open(url) {
    const { targetId } = await this.#ask('Target.createTarget', { url: 'about:blank' });
    ({ sessionId: this.#session } = await this.#ask('Target.attachToTarget', { targetId, flatten: true }));
    await this.#ask('Page.enable');
    await this.#ask('Page.setLifecycleEventsEnabled', { enabled: true });
    await this.visit(url);
  }

  /** Goes to an address, as a person who comes there for the first time; returns once the page is there. */
  async visit(url) {
    const { loaderId } = await this.#ask('Page.navigate', { url });
    // It may have been said before the answer came.
    if (!this.#loads.has(loaderId)) await new Promise((resolve) => this.#loads.set(loaderId, resolve));
  }

  #loaded(id) {
    this.#loads.get(id)?.();
    this.#loads.set(id, undefined);
  }

  /** Returns what an expression comes to, promises awaited. */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.#ask('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  async screenshot(file) {
    const { data } = await this.#ask('Page.captureScreenshot');
    fs.writeFileSync(file, Buffer.from(data, 'base64'));
  }

  async setDark() {
    await this.#ask('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: 'dark' }] });
  }

  async close() {
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#session = undefined;
    await this.#ask('Browser.close').catch(() => {});
    await gone;
    fs.rmSync(this.#profile, { recursive: true, force: true });
  }
}
