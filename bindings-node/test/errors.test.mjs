import assert from 'node:assert/strict';
import test from 'node:test';
import { ConflictError, Engine, InvalidInputError, Partial, RunFailedError, StackwrightError, Template, UnavailableError, defineFunction, defineResource, s } from 'stackwright';
import { Cloud, bucket, opened } from './world.mjs';

const ONE = Template.fromText('resource "acme_bucket" "a" {\n  name = "a"\n}\n');

async function failing(t, overrides, template = ONE) {
  const cloud = new Cloud();
  const engine = await opened(t, { resources: [bucket(cloud, overrides)] });
  const stack = engine.stack('errors');
  const run = await stack.apply(template);
  const error = await run.result().then(() => undefined, (thrown) => thrown);
  return { cloud, error, report: run.report, rows: (await stack.state()).rows, stack };
}

test('a wrong template ends with every diagnostic, its place and a way out', async (t) => {
  const engine = await opened(t, { resources: [bucket(new Cloud())] });
  const stack = engine.stack('wrong');
  const template = Template.fromText('resource "acme_buckt" "a" {\n}\nresource "acme_bucket" "b" {\n  nam = "x"\n}\n');
  await assert.rejects(stack.plan(template), (error) => {
    assert.ok(error instanceof InvalidInputError && error instanceof StackwrightError && error instanceof Error);
    assert.equal(error.code, 'template.invalid');
    assert.deepEqual(error.diagnostics.map(({ place }) => [place.file, place.line]).slice(0, 2), [['main.tf', 1], ['main.tf', 3]]);
    assert.match(error.message, /did you mean `acme_bucket`/);
    return true;
  });
  const problems = await stack.validate(template);
  assert.ok(problems.length >= 2 && problems.every(({ code, message }) => code && message));
});

test('what a verb throws is the cause, unchanged', async (t) => {
  const thrown = new UnavailableError('the cloud is away', { code: 'acme.away', context: { zone: 'north' } });
  const { error, rows } = await failing(t, {
    create() {
      throw thrown;
    },
  });
  assert.ok(error instanceof RunFailedError);
  assert.deepEqual([error.code, error.report.status, error.report.failed, error.cause], ['run.failed', 'failed', 1, thrown]);
  const [problem] = error.report.problems;
  assert.deepEqual([problem.address, problem.error.code, problem.error.cause], ['acme_bucket.a', 'acme.away', thrown]);
  assert.deepEqual(rows, []);
});

test('an error of any other kind says nothing of its effect, so the world is asked', async (t) => {
  const thrown = new RangeError('secret hunter2');
  const { error, rows } = await failing(t, {
    create() {
      throw thrown;
    },
  });
  // `recover` said that nothing is there.
  assert.equal(error.cause, thrown);
  assert.deepEqual([error.report.status, rows], ['failed', []]);
  assert.ok(!error.message.includes('hunter2'), 'what was thrown is not repeated');
});

test('half an object is remembered as such', async (t) => {
  const cause = new Error('out of disks');
  const { error, rows } = await failing(t, {
    create() {
      throw new Partial({ id: 'b-half', url: 'https://half' }, cause);
    },
  });
  assert.equal(error.cause, cause);
  assert.deepEqual(rows.map(({ id, status }) => [id, status]), [['b-half', 'tainted']]);
});

test('wrong shapes are told from what is right', async (t) => {
  const shapes = [
    [null, /object/],
    [{}, /\.?id: a value is required, not nothing/],
    [{ id: 1, url: 'x' }, /id: a string is required, not a number/],
    [{ id: 'x', url: ['hunter2'] }, /url: a string is required, not an array/],
    ['hunter2', /an object is required, not a string/],
  ];
  for (const [result, expected] of shapes) {
    const { error } = await failing(t, { create: () => result });
    assert.equal(error.report.problems[0].error.cause?.code ?? error.report.problems[0].error.code, 'host.reply', String(expected));
    assert.match(error.cause.message, expected);
    assert.ok(!error.message.includes('hunter2'));
  }
});

test('inputs that a schema of another library refuses are found while planning', async (t) => {
  const issue = { message: 'too many letters', path: ['name'] };
  const schema = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) => (value.name.length > 3 ? { issues: [issue] } : { value }),
      jsonSchema: { input: () => ({ type: 'object', properties: { name: { type: 'string' }, size: { type: 'integer', minimum: 1 } }, required: ['name'] }) },
    },
  };
  const type = defineResource({
    type: 'acme_thing',
    schema: { inputs: schema, outputs: { id: s.string() }, marks: { name: 'forceNew' } },
    create: (ctx, { want }) => ({ id: want.name }),
    read: (ctx, { was }) => was.outputs,
    update: () => null,
    delete: () => {},
  });
  const engine = await opened(t, { resources: [type] });
  const stack = engine.stack('standard');
  const text = (name, size) => Template.fromText(`resource "acme_thing" "a" {\n  name = "${name}"\n  size = ${size}\n}\n`);
  await assert.rejects(stack.plan(text('much', 1)), /name: too many letters/);
  await assert.rejects(stack.plan(text('ok', 0)), /at least 1/);
  assert.equal((await stack.plan(text('ok', 1))).counts.add, 1);
});

test('functions of templates refuse and fail in words', async (t) => {
  const picky = defineFunction({
    name: 'acme::picky',
    parameters: { text: s.string() },
    returns: s.string(),
    compute(text) {
      if (text === 'bad') throw new InvalidInputError('that is bad', { code: 'acme.bad' });
      if (text === 'odd') return 1;
      if (text === 'late') return Promise.resolve('x');
      throw new TypeError('hunter2');
    },
  });
  const engine = await opened(t, { functions: [picky] });
  const provider = 'terraform {\n  required_providers {\n    acme = {}\n  }\n}\n';
  const plan = (text) => engine.stack('f').plan(Template.fromText(`${provider}output "o" {\n  value = provider::acme::picky("${text}")\n}\n`));
  await assert.rejects(plan('bad'), /that is bad/);
  await assert.rejects(plan('odd'), /a string is required, not a number/);
  await assert.rejects(plan('late'), /cannot be async/);
  await assert.rejects(plan('else'), (error) => /TypeError/.test(error.message) && !error.message.includes('hunter2'));
});

test('definitions are refused with what to change', async (t) => {
  const good = { type: 'acme_x', schema: { outputs: { id: s.string() } }, create() {}, read() {}, delete() {} };
  assert.throws(() => defineResource({ ...good, type: 'Acme X' }), /a name such as/);
  assert.throws(() => defineResource({ ...good, read: undefined }), /has no `read`/);
  assert.throws(() => defineResource({ ...good, crate() {} }), /no property `crate`/);
  assert.throws(() => defineResource({ ...good, schema: {} }), /neither `schema.inputs` nor/);
  assert.throws(() => defineResource({ ...good, id: 'arn' }), /no output `arn`/);
  assert.throws(() => defineResource({ ...good, schema: { inputs: { a: 'string' }, outputs: good.schema.outputs } }), /written with `s`/);
  await assert.rejects(Engine.open({ resources: [good] }), /make it with defineResource/);
  await assert.rejects(Engine.open({ stores: 'x' }), /no option `stores`/);
  await assert.rejects(Engine.open({ store: 'redis://x' }), /is no store/);
  await assert.rejects(Engine.open({ store: 'postgres://x' }), /what seals secrets/);
});

test('who comes too late is told so', async (t) => {
  const cloud = new Cloud();
  const engine = await Engine.open({ resources: [bucket(cloud)] });
  const stack = engine.stack('late');
  const [one, two] = [await stack.plan(ONE), await stack.plan(ONE)];
  await (await one.apply()).result();
  await assert.rejects(two.apply(), (error) => error instanceof ConflictError && error.code === 'plan.stale');
  await engine.close();
  await assert.rejects(stack.plan(ONE), (error) => error.code === 'host.closed');
});
