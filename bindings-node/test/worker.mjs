import { parentPort } from 'node:worker_threads';
import { Engine, Template } from 'stackwright';
import { Cloud, bucket } from './world.mjs';

const engine = await Engine.open({ resources: [bucket(new Cloud())] });
const template = Template.fromText('resource "acme_bucket" "a" {\n  count = 3\n  name  = "n${count.index}"\n}\n');
const report = await (await engine.stack('worker').apply(template)).result();
parentPort.postMessage({ status: report.status, done: report.done });
await engine.close();
