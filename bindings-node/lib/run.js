'use strict';

const { inspect } = require('node:util');
const { RunFailedError, errorFromData } = require('./errors.js');
const json = require('./json.js');
const { shown } = require('./markers.js');

const BATCH = 256;
const WORDS = {
  running: 'was left with calls under way; resume it',
  failed: 'failed',
  cancelled: 'was cancelled',
  stuck: 'cannot go on without a person',
  abandoned: 'was given up',
};

/** How a run ended. */
class Report {
  constructor(data, thrown) {
    this.run = data.run;
    this.status = data.status;
    this.problems = data.problems.map(({ address, error: failure }) => {
      const error = errorFromData(failure);
      // What a verb of the host's threw, unchanged.
      if (thrown.has(address)) error.cause = thrown.get(address);
      return { address, error };
    });
    this.outputs = Object.fromEntries(Object.entries(data.outputs).map(([name, output]) => [name, shown(output)]));
    this.done = data.done_count;
    this.failed = data.failed_count;
    this.skipped = data.skipped_count;
  }

  /** Whether all steps ended well. */
  get succeeded() {
    return this.status === 'succeeded';
  }
}

/** Returns an event as this package shows it: camel case, a `Date`, and what the engine adds later comes along. */
function eventOf({ seq, at, event }) {
  const { diagnostic, ...rest } = event;
  const parts = Object.entries({ ...rest, ...(diagnostic ? { code: diagnostic.code, message: diagnostic.message } : {}) });
  return { seq, at: new Date(at), ...Object.fromEntries(parts.map(([key, value]) => [key.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()), value])) };
}

/**
 * A plan that is being carried out, on tasks of the engine's own: dropping this leaves it going.
 *
 * `await run.result()` waits for the end, `for await (const event of run)` follows it, and `await using run = …` drains it
 * where the block throws.
 */
class Run {
  #bridge;
  #operation;
  #end;
  #events = [];
  #ended = false;
  #more;

  constructor(bridge, operation, stackName, id) {
    this.#bridge = bridge;
    this.#operation = operation;
    this.stackName = stackName;
    this.id = id;
    this.report = undefined;
    this.#end = this.#finish();
    // Whoever does not await the end need not hear of it.
    this.#end.catch(() => {});
    bridge.runs.add(this);
  }

  async #finish() {
    try {
      this.report = new Report(await this.#bridge.ask('finish', { operation: this.#operation.name }), this.#operation.thrown);
      return this.report;
    } finally {
      this.#bridge.runs.delete(this);
    }
  }

  /** Asks the run to start nothing new, and to finish what runs. */
  cancel() {
    this.#bridge.tell('cancel', { operation: this.#operation.name });
  }

  /** Asks the run not to wait for what runs either; what became of it is found out when the run is resumed. */
  cancelNow() {
    this.#bridge.tell('cancel', { operation: this.#operation.name, now: true });
  }

  /** Waits for the end, however it is. Rejects where the run paused and can be resumed: `store.unavailable`, `lease.lost`. */
  wait() {
    return this.#end;
  }

  /** Waits for the end. Rejects with a `RunFailedError` where the run did not succeed. */
  async result() {
    const report = await this.#end;
    if (report.succeeded) return report;
    const lines = [`run ${report.run} ${WORDS[report.status] ?? report.status}`, ...report.problems.map(({ address, error }) => `${address}: ${error.message}`)];
    const causes = report.problems.map(({ error }) => error.cause).filter((cause) => cause !== undefined);
    throw new RunFailedError(lines.join('\n'), {
      code: report.status === 'cancelled' ? 'run.cancelled' : 'run.failed',
      report,
      cause: causes[0] ?? report.problems[0]?.error,
    });
  }

  /** Cancels the run when the signal is aborted. */
  follow(signal) {
    if (signal === undefined) return;
    const cancel = () => !this.#bridge.isClosed && this.cancel();
    if (signal.aborted) return cancel();
    signal.addEventListener('abort', cancel, { once: true });
    this.#end.catch(() => {}).finally(() => signal.removeEventListener('abort', cancel));
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      while (this.#events.length > 0) yield this.#events.shift();
      if (this.#ended) break;
      this.#more ??= this.#read();
      await this.#more;
    }
    // The report is there as soon as the loop over the events is over.
    await this.#end.catch(() => {});
  }

  async #read() {
    try {
      const { events, ended } = await this.#bridge.ask('events', { operation: this.#operation.name, limit: BATCH });
      this.#events.push(...events.map(eventOf));
      this.#ended = ended;
    } finally {
      this.#more = undefined;
    }
  }

  /**
   * Returns the events as server-sent events: a stream of bytes that is the body of a `Response`, or `pipeline`d into a
   * response of `node:http`. The last one is called `report`. A reader that goes away leaves the run going.
   */
  serverSentEvents() {
    const events = this[Symbol.asyncIterator]();
    const encoder = new TextEncoder();
    const line = (name, id, data) => encoder.encode(`event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${json.stringify(data)}\n\n`);
    const run = this;
    return new ReadableStream({
      async pull(controller) {
        const { done, value } = await events.next();
        if (!done) return controller.enqueue(line(value.type, value.seq, value));
        if (run.report) {
          const { problems, ...report } = run.report;
          const said = problems.map(({ address, error }) => ({ address, code: error.code, message: error.message }));
          controller.enqueue(line('report', undefined, { ...report, problems: said }));
        }
        return controller.close();
      },
    });
  }

  /** Waits for the end; asks the run to stop first where it has not ended. */
  async [Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]() {
    if (this.report === undefined && !this.#bridge.isClosed) this.cancel();
    await this.#end.catch(() => {});
    await this.#bridge.release(this.#operation);
  }

  [inspect.custom]() {
    return `<Run ${this.id} of ${this.stackName}: ${this.report?.status ?? 'running'}>`;
  }
}

module.exports = { Report, Run, eventOf };
