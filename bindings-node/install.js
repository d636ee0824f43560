'use strict';

// Puts the addon into `native/`. A package from a registry has it; a checkout builds it, with Rust.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const target = path.join(__dirname, 'native', 'stackwright.node');
const root = path.join(__dirname, '..');

function fail(message) {
  process.stderr.write(`stackwright: ${message}\n`);
  process.exit(1);
}

if (!fs.existsSync(target)) {
  if (!fs.existsSync(path.join(root, 'core', 'Cargo.toml'))) fail(`this package has no addon for ${process.platform}-${process.arch}`);
  const profile = process.env.STACKWRIGHT_PROFILE ?? 'release';
  const built = spawnSync('cargo', ['build', '--quiet', '--package', 'stackwright-node', '--profile', profile], { cwd: root, stdio: 'inherit' });
  if (built.error) fail('the addon is built with Rust; install it from https://rustup.rs');
  if (built.status !== 0) fail('the addon was not built');
  const folder = path.join(process.env.CARGO_TARGET_DIR ?? path.join(root, 'target'), profile === 'dev' ? 'debug' : profile);
  const names = ['libstackwright_node.so', 'libstackwright_node.dylib', 'stackwright_node.dll'];
  const found = names.map((name) => path.join(folder, name)).find((place) => fs.existsSync(place));
  if (found === undefined) fail(`the addon was built, but it is not in ${folder}`);
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.copyFileSync(found, target);
}
