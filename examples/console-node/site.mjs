// Resource types with real effects: folders, pages and archives on this machine's disk.

import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { AlreadyExistsError, InvalidInputError, Planned, UNKNOWN, defineResource, s } from 'stackwright';

const digestOf = (bytes) => createHash('sha256').update(bytes).digest('hex');
const orGone = (error) => {
  if (error.code !== 'ENOENT') throw error;
  return null;
};

/** Returns the types of sites below a folder. Each call waits for what `linger` returns, for people who watch. */
export function siteTypes(root, { linger = async () => {} } = {}) {
  const say = async (ctx, words) => {
    ctx.progress(words);
    await linger(ctx);
  };

  const folder = defineResource({
    type: 'site_folder',
    idempotentCreate: true,
    schema: { inputs: { name: s.string().forceNew() }, outputs: { id: s.string() } },
    async create(ctx, { want: { name } }) {
      await say(ctx, 'making the folder');
      const id = path.join(root, name);
      await fs.mkdir(id, { recursive: true });
      return { id };
    },
    read: (ctx, { id }) => fs.stat(id).then(() => ({ id }), orGone),
    async delete(ctx, { id }) {
      await say(ctx, 'removing the folder');
      await fs.rm(id, { recursive: true, force: true });
    },
  });

  async function written(ctx, { folder: place, name, text }) {
    const id = path.join(place, `${name}.html`);
    await say(ctx, 'writing it');
    await fs.writeFile(id, text).catch((error) => {
      if (error.code !== 'EISDIR') throw error;
      throw new AlreadyExistsError(`there is a folder where ${name}.html is to be`, { code: 'site.taken', cause: error });
    });
    return { id, digest: digestOf(text) };
  }

  const page = defineResource({
    type: 'site_page',
    idempotentCreate: true,
    schema: {
      inputs: { folder: s.string().forceNew(), name: s.string().forceNew(), text: s.string() },
      outputs: { id: s.string(), digest: s.string() },
    },
    validate(ctx, { want: { name } }) {
      if (name !== UNKNOWN && !/^[a-z0-9-]+$/.test(name)) throw new InvalidInputError('a page is called by small letters, digits and dashes', { code: 'site.name' });
    },
    plan: (ctx, { want: { text } }) => new Planned({ values: text === UNKNOWN ? {} : { digest: digestOf(text) } }),
    create: (ctx, { want }) => written(ctx, want),
    update: (ctx, { want }) => written(ctx, want),
    async read(ctx, { id, was }) {
      const text = await fs.readFile(id, 'utf8').catch(orGone);
      return text === null ? null : { inputs: { ...was.inputs, text }, outputs: { id, digest: digestOf(text) } };
    },
    async delete(ctx, { id }) {
      await say(ctx, 'taking it down');
      await fs.rm(id, { force: true });
    },
  });

  const archive = defineResource({
    type: 'site_archive',
    idempotentCreate: true,
    schema: {
      inputs: { folder: s.string().forceNew(), contents: s.string().forceNew() },
      outputs: { id: s.string(), bytes: s.number() },
    },
    async create(ctx, { want }) {
      const names = (await fs.readdir(want.folder)).filter((name) => name.endsWith('.html')).sort();
      await say(ctx, `packing ${names.length} pages`);
      const pages = await Promise.all(names.map(async (name) => [name, await fs.readFile(path.join(want.folder, name), 'utf8')]));
      const packed = await promisify(gzip)(JSON.stringify(Object.fromEntries(pages)));
      const id = path.join(root, 'site.json.gz');
      await fs.writeFile(id, packed);
      return { id, bytes: packed.length };
    },
    async read(ctx, { id }) {
      const found = await fs.stat(id).catch(orGone);
      return found && { id, bytes: found.size };
    },
    async delete(ctx, { id }) {
      await say(ctx, 'removing the archive');
      await fs.rm(id, { force: true });
    },
  });

  return [folder, page, archive];
}
