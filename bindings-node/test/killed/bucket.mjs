// Buckets in a cloud that is a folder of files: it survives whoever uses it, and remembers what was done to it.

import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { DeniedError, InvalidInputError, NotFoundError, Partial, UNKNOWN, UnavailableError, defineResource, s } from 'stackwright';

// With 2, a bucket also has a region, which older rows do not know of.
const VERSION = Number(process.env.BUCKET_SCHEMA ?? '1');

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

const wantedOf = ({ name, size, source }) => ({ name, size, source });

function outputs({ id, name }) {
  const known = { id, token: `hunter2-${name}`, url: `https://buckets.example/${name}` };
  return VERSION === 2 ? { ...known, region: 'eu' } : known;
}

/** The resource type and its cloud. It has neither `plan` nor `ready`: the engine does without. */
export function bucketType(folder) {
  const cloud = new Cloud(folder);
  // Where the creation with this number stops for ever: `3:before`, `3:made`, `3:noted`, or `3:cancel`.
  const [stopNumber, stopAt] = ((text) => [Number(text[0]), text[1]])((process.env.BUCKET_BLOCK ?? '0:').split(':'));
  let waits;
  const world = { cloud, upgraded: 0, waiting: new Promise((resolve) => (waits = resolve)) };
  let begun = 0;

  // A timer, since a promise alone does not keep Node alive, and an engine that waits for one does.
  const stop = () => new Promise(() => setInterval(() => {}, 1000));
  const maybeStop = async (number, name, point) => {
    if (number !== stopNumber || stopAt !== point) return;
    cloud.log('stopped', name, point);
    fs.writeFileSync(cloud.at('blocked'), '');
    await stop();
  };

  world.type = defineResource({
    type: 'acme_bucket',
    description: 'A bucket in a cloud that is a folder of files.',
    version: VERSION,
    schema: {
      inputs: { name: s.string().forceNew(), size: s.number().default(1), source: s.string().optional() },
      outputs: { id: s.string(), token: s.string().sensitive(), url: s.string(), ...(VERSION === 2 ? { region: s.string() } : {}) },
    },

    validate(ctx, { want: { name } }) {
      if (name !== UNKNOWN && name !== name.toLowerCase()) throw new InvalidInputError('buckets are written in small letters', { code: 'acme.name' });
    },

    upgrade(ctx, { attributes }) {
      world.upgraded += 1;
      return { ...attributes, region: 'eu' };
    },

    async create(ctx, { want }) {
      begun += 1;
      const number = begun;
      const { name } = want;
      cloud.log('create', name, ctx.idempotencyKey);
      await sleep(20);
      if (number > stopNumber && stopNumber > 0 && stopAt !== 'cancel') await stop();
      await maybeStop(number, name, 'before');
      if (name === 'refused' && cloud.firstTime(name)) throw new DeniedError('no more buckets today', { code: 'acme.quota' });
      const bucket = cloud.make(ctx.idempotencyKey, wantedOf(want));
      if (name === 'raised' && cloud.firstTime(name)) throw new RangeError('what an exception says may be secret');
      if (name === 'torn' && cloud.firstTime(name)) {
        throw new Partial(outputs(bucket), new UnavailableError('the replica is missing', { code: 'acme.torn', retry: true }));
      }
      await maybeStop(number, name, 'made');
      await ctx.checkpoint(bucket.id, { name });
      await maybeStop(number, name, 'noted');
      if (number === stopNumber && stopAt === 'cancel') {
        const told = new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
        waits(ctx);
        await told;
        cloud.log('cancelled', name, ctx.idempotencyKey);
      }
      return outputs(bucket);
    },

    read(ctx, { id }) {
      const bucket = cloud.byId(id);
      return bucket ? { inputs: wantedOf(bucket), outputs: outputs(bucket) } : null;
    },

    async update(ctx, { id, want }) {
      ctx.progress('changing it');
      await ctx.checkpoint(id);
      const bucket = cloud.byId(id);
      if (!bucket) throw new NotFoundError('the bucket is gone', { code: 'acme.gone' });
      return outputs(cloud.change(bucket, wantedOf(want)));
    },

    delete(ctx, { id }) {
      const bucket = cloud.byId(id);
      if (bucket) cloud.remove(bucket);
    },

    recover(ctx, { id, want, was }) {
      const [bucket, way] = id === null ? [cloud.byKey(ctx.idempotencyKey), 'key'] : [cloud.byId(id), 'id'];
      const { name } = want ?? was.inputs;
      cloud.log('recovered', name, `by-${way}`, bucket ? 'found' : 'absent');
      return bucket ? outputs(bucket) : null;
    },
  });
  return world;
}
