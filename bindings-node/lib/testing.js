'use strict';

const { AssertionError } = require('node:assert');
const { Engine, askOf } = require('./engine.js');

/** Holds a resource type against the contract that the engine relies on; see `testing.d.ts`. */
async function conform(resource, { config, changed, missingId, isValue = false, fault, patience = 30_000 }) {
  const engine = await Engine.open({ resources: [resource] });
  try {
    const found = await askOf(engine)('conform', {
      query: {
        type_name: resource.name, config, changed: changed ?? null, missing_id: missingId ?? null, is_value: isValue, fault: fault ?? null,
        patience_ms: Math.round(patience),
      },
    });
    const findings = found.map(({ case: name, verdict, message }) => ({ case: name, verdict, message: message ?? undefined }));
    const wrong = findings.filter(({ verdict }) => verdict === 'failed').map((each) => `\n  ${each.case}: ${each.message}`);
    if (wrong.length > 0) {
      throw new AssertionError({ message: `\`${resource.name}\` does not keep its contract:${wrong.join('')}`, stackStartFn: conform });
    }
    return findings;
  } finally {
    await engine.close();
  }
}

module.exports = { conform };
