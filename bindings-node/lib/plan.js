'use strict';

const { inspect } = require('node:util');
const { diagnosticFromData } = require('./errors.js');
const { shown } = require('./markers.js');

const RELEASED = new FinalizationRegistry(({ bridge, number }) => {
  const known = bridge.deref();
  known?.forget('release_plan', { plan: number });
});

/** What is to be done and why. `String(plan)` is a page for people; `await plan.apply()` carries it out. */
class Plan {
  #bridge;
  #number;
  #begin;

  constructor(bridge, view, begin) {
    this.#bridge = bridge;
    this.#number = view.plan;
    this.#begin = begin;
    this.stackName = view.stack;
    this.mode = view.mode;
    this.isEmpty = view.is_empty;
    this.counts = Object.freeze({ ...view.counts });
    this.warnings = view.warnings.map(diagnosticFromData);
    RELEASED.register(this, { bridge: new WeakRef(bridge), number: this.#number });
  }

  #tell(name) {
    return this.#bridge.tell(name, { plan: this.#number });
  }

  /** What is done to whom, without those left alone; by address. */
  get changes() {
    const plain = (text) => text.replace(/^\./, '');
    return this.#tell('plan_changes').map((data) => ({
      address: data.address,
      previousAddress: data.previous_address,
      typeName: data.type_name,
      action: data.action,
      reasons: data.reasons,
      changed: data.paths.map(plain),
      replacePaths: data.replace_paths.map(plain),
      before: data.before === null ? null : shown(data.before),
      after: data.after === null ? null : shown(data.after),
      importing: data.importing,
    }));
  }

  /** What the root outputs will be. */
  get outputs() {
    return outputsOf(this.#tell('plan_outputs'));
  }

  /** What runs, each after what it needs. */
  get steps() {
    const { steps, joins } = this.#tell('plan_graph');
    const gathered = [];
    for (const join of joins) gathered.push(new Set([...(join.needs ?? []).map((need) => need.step), ...(join.joins ?? []).flatMap((other) => [...gathered[other]])]));
    return steps.map(({ address, action, needs, joins: through }) => ({
      address,
      action,
      needs: [...new Set([...needs.map((need) => need.step), ...through.flatMap((join) => [...gathered[join]])])].sort((a, b) => a - b),
    }));
  }

  /** Returns the plan in the shape of Terraform's plan JSON. Sensitive values are null there. */
  toJSON() {
    return this.#tell('plan_json');
  }

  /** Returns the plan as bytes that another process can open (`stack.openPlan`); secrets in it are sealed. */
  toBytes() {
    return new Uint8Array(Buffer.from(this.#tell('seal_plan'), 'base64'));
  }

  toString() {
    return this.#tell('plan_text');
  }

  /** Carries the plan out. Resolves once the run has begun, on tasks of the engine's own. */
  apply(options = {}) {
    return this.#begin('apply', { plan: this.#number }, this.stackName, options);
  }

  [inspect.custom]() {
    const { add, change, delete: gone } = this.counts;
    return `<Plan ${this.stackName}: ${this.isEmpty ? 'nothing to do' : `${add} to add, ${change} to change, ${gone} to destroy`}>`;
  }
}

function outputsOf(data) {
  return Object.fromEntries(Object.entries(data).map(([name, output]) => [name, { value: shown(output.value), sensitive: output.sensitive }]));
}

module.exports = { Plan, outputsOf };
