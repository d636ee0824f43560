// Buckets in a cloud that is a folder of files: it survives whoever uses it, and remembers what was done to it.

import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Partial, StackwrightError } from './bridge.mjs';

// With 2, a bucket also has a region, which older rows do not know of.
const VERSION = Number(process.env.BUCKET_SCHEMA ?? '1');
const SCHEMA = new URL('../../tests/bindings/schema.json', import.meta.url);

/** One file per bucket, named by the key that it was made with; and a log of what happened. */
export class Cloud {
  constructor(folder) {
    this.folder = folder;
    for (const name of ['cloud', 'drafts', 'faults']) {
      fs.mkdirSync(path.join(folder, name), { recursive: true });
    }
  }

  at(...parts) {
    return path.join(this.folder, ...parts);
  }

  log(...words) {
    fs.appendFileSync(this.at('log'), `${words.join(' ')}\n`);
  }

  buckets() {
    const names = fs.readdirSync(this.at('cloud')).sort();
    return names.map((name) => JSON.parse(fs.readFileSync(this.at('cloud', name), 'utf8')));
  }

  byKey(key) {
    return this.buckets().find((bucket) => bucket.key === key);
  }

  byId(id) {
    return this.buckets().find((bucket) => bucket.id === id);
  }

  draft(bucket) {
    const draft = this.at('drafts', randomUUID());
    fs.writeFileSync(draft, JSON.stringify(bucket));
    return draft;
  }

  /** Makes a bucket. The same key twice makes one bucket; the id is the cloud's to choose. */
  make(key, wanted) {
    const draft = this.draft({ id: `b-${randomUUID().slice(0, 8)}`, key, ...wanted });
    try {
      fs.linkSync(draft, this.at('cloud', `${key}.json`));
      this.log('made', wanted.name, key);
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    } finally {
      fs.unlinkSync(draft);
    }
    return this.byKey(key);
  }

  change(bucket, wanted) {
    const changed = { ...bucket, ...wanted };
    fs.renameSync(this.draft(changed), this.at('cloud', `${bucket.key}.json`));
    this.log('changed', bucket.name, bucket.key);
    return changed;
  }

  remove(bucket) {
    fs.unlinkSync(this.at('cloud', `${bucket.key}.json`));
    this.log('removed', bucket.name, bucket.key);
  }

  /** Whether a fault is to happen: each does once. */
  firstTime(name) {
    try {
      fs.closeSync(fs.openSync(this.at('faults', name), 'wx'));
      return true;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      return false;
    }
  }
}

function wantedOf({ value: { name, size, source } }) {
  return { name, size, source };
}

function schema() {
  const schema = JSON.parse(fs.readFileSync(SCHEMA, 'utf8'));
  if (VERSION === 2) {
    schema.version = 2;
    schema.block.attributes.region = { type: 'string', computed: true };
  }
  return schema;
}

function thing({ id, name, size, source }) {
  const computed = { token: `hunter2-${name}`, url: `https://buckets.example/${name}` };
  if (VERSION === 2) computed.region = 'eu';
  return { id, attributes: { id, name, size, source, ...computed } };
}

/** The resource type. It has neither `plan` nor `ready`: the engine does without. */
export class Bucket {
  schema = schema();
  upgraded = 0;
  traits = {};
  #begun = 0;
  #stopNumber;
  #stopAt;
  #waits;

  constructor(folder) {
    this.cloud = new Cloud(folder);
    // Where the creation with this number stops for ever: `3:before`, `3:made`, `3:noted`, or `3:cancel`.
    const [number, stopAt] = (process.env.BUCKET_BLOCK ?? '0:').split(':');
    [this.#stopNumber, this.#stopAt] = [Number(number), stopAt];
    this.waiting = new Promise((resolve) => (this.#waits = resolve));
  }

  async validate(ctx, { config }) {
    const { name } = config.value;
    if (name !== null && name !== name.toLowerCase()) {
      throw new StackwrightError('invalid_input', 'buckets are written in small letters', { code: 'acme.name' });
    }
  }

  async upgrade(ctx, { attributes }) {
    this.upgraded += 1;
    return { ...attributes, region: 'eu' };
  }

  async create(ctx, { planned }) {
    this.#begun += 1;
    const [number, wanted] = [this.#begun, wantedOf(planned)];
    const { name } = wanted;
    this.cloud.log('create', name, ctx.key);
    await sleep(20);
    if (number > this.#stopNumber && this.#stopNumber > 0 && this.#stopAt !== 'cancel') {
      await this.#stop();
    }
    await this.#maybeStop(number, name, 'before');
    if (name === 'refused' && this.cloud.firstTime(name)) {
      throw new StackwrightError('denied', 'no more buckets today', { code: 'acme.quota' });
    }
    const bucket = this.cloud.make(ctx.key, wanted);
    if (name === 'raised' && this.cloud.firstTime(name)) {
      throw new RangeError('what an exception says may be secret');
    }
    if (name === 'torn' && this.cloud.firstTime(name)) {
      const details = { code: 'acme.torn', retry: 'with_backoff' };
      throw new Partial(thing(bucket), new StackwrightError('unavailable', 'the replica is missing', details));
    }
    await this.#maybeStop(number, name, 'made');
    await ctx.checkpoint(bucket.id, { name });
    await this.#maybeStop(number, name, 'noted');
    if (number === this.#stopNumber && this.#stopAt === 'cancel') {
      this.#waits(ctx);
      if (!(await ctx.cancelled())) throw new Error('the call ended before it ended');
      this.cloud.log('cancelled', name, ctx.key);
    }
    return thing(bucket);
  }

  async #maybeStop(number, name, point) {
    if (number === this.#stopNumber && this.#stopAt === point) {
      this.cloud.log('stopped', name, point);
      fs.writeFileSync(this.cloud.at('blocked'), '');
      await this.#stop();
    }
  }

  #stop() {
    return new Promise(() => {});
  }

  async read(ctx, { object }) {
    const bucket = this.cloud.byId(object.id);
    return bucket && thing(bucket);
  }

  async update(ctx, { prior, planned }) {
    ctx.progress('changing it');
    await ctx.checkpoint(prior.id);
    const bucket = this.cloud.byId(prior.id);
    if (!bucket) throw new StackwrightError('not_found', 'the bucket is gone', { code: 'acme.gone' });
    return thing(this.cloud.change(bucket, wantedOf(planned)));
  }

  async delete(ctx, { prior }) {
    const bucket = this.cloud.byId(prior.id);
    if (bucket) this.cloud.remove(bucket);
  }

  async recover(ctx, { id, planned, prior }) {
    const [bucket, way] = id === null ? [this.cloud.byKey(ctx.key), 'key'] : [this.cloud.byId(id), 'id'];
    const { name } = planned ? planned.value : prior.attributes;
    this.cloud.log('recovered', name, `by-${way}`, bucket ? 'found' : 'absent');
    return bucket ? { found: thing(bucket) } : 'absent';
  }
}
