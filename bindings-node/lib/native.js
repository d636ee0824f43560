'use strict';

// The addon: the one that the environment names (tests, odd layouts), else the one that was built into the package.

const path = require('node:path');

const place = process.env.STACKWRIGHT_NATIVE ?? path.join(__dirname, '..', 'native', 'stackwright.node');

let native;
try {
  native = require(path.resolve(place));
} catch (cause) {
  throw new Error(`the engine could not be loaded from ${place}: ${cause.message}; run \`npm rebuild stackwright\``, { cause });
}

module.exports = { native };
