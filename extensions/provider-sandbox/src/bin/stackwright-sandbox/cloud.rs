use std::{
    collections::BTreeMap,
    io,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value, json};

use crate::{
    chance::Chance,
    kind::{Kind, Shape},
    knobs::Knobs,
    log::{Log, Memory},
    object::Object,
    price,
    problem::Problem,
    rules,
    shop::{self, Order},
};

/// An answer: a status and a body.
pub(crate) type Answer = Result<(u16, Value), Problem>;

/// All that the cloud knows and does. Every method is one transaction; the caller holds the lock.
#[derive(Debug)]
pub(crate) struct Cloud {
    log: Log,
    objects: BTreeMap<String, Object>,
    /// By the token that they were placed with.
    orders: BTreeMap<String, Order>,
    /// Where lines of orders are: the token, and the place.
    lines: BTreeMap<String, (String, usize)>,
    pub(crate) knobs: Knobs,
    chance: Chance,
    /// Calls by verb and kind since the start.
    calls: BTreeMap<String, u64>,
    refuse_until: Option<Instant>,
    /// How many requests may still come at once, and when that was so.
    allowance: (f64, Instant),
}

/// Returns the milliseconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_millis() as u64)
}

fn unwritten(error: io::Error) -> Problem {
    Problem::failed(format!("the memory cannot be written: {error}"))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(is_on) => !is_on,
        _ => false,
    }
}

impl Cloud {
    pub(crate) fn new(log: Log, memory: Memory, knobs: Knobs, seed: u64) -> Self {
        let objects = memory.objects.into_iter().map(|object| (object.id.clone(), object)).collect();
        let allowance = (knobs.burst, Instant::now());
        let mut cloud = Self {
            log,
            objects,
            orders: BTreeMap::new(),
            lines: BTreeMap::new(),
            knobs: Knobs::default(),
            chance: Chance::new(seed),
            calls: BTreeMap::new(),
            refuse_until: None,
            allowance,
        };
        memory.orders.into_values().for_each(|order| cloud.learn(order));
        cloud.turn(knobs);
        cloud
    }

    /// Sets the knobs.
    pub(crate) fn turn(&mut self, mut knobs: Knobs) {
        let refuse_ms = std::mem::take(&mut knobs.refuse_ms);
        self.refuse_until = (refuse_ms > 0).then(|| Instant::now() + Duration::from_millis(refuse_ms));
        self.allowance = (knobs.burst, Instant::now());
        self.knobs = knobs;
    }

    /// Lets a request in, counts it, and says how long it takes; or says why it is refused.
    pub(crate) fn admit(&mut self, what: &str) -> Result<Duration, Problem> {
        *self.calls.entry(what.to_owned()).or_default() += 1;
        let now = Instant::now();
        if self.refuse_until.is_some_and(|until| now < until) {
            return Err(Problem::unavailable());
        }
        let rate = self.knobs.rate_per_second;
        if rate > 0.0 {
            let (left, at) = self.allowance;
            let left = (left + rate * now.duration_since(at).as_secs_f64()).min(self.knobs.burst);
            let is_free = left >= 1.0;
            self.allowance = (if is_free { left - 1.0 } else { left }, now);
            if !is_free {
                *self.calls.entry("rate limited".to_owned()).or_default() += 1;
                return Err(Problem::rate_limited(((1.0 - left) / rate * 1000.0).ceil() as u64));
            }
        }
        let jitter = (self.chance.share(&format!("jitter {what}")) * self.knobs.jitter_ms as f64) as u64;
        Ok(Duration::from_millis(self.knobs.latency_ms + jitter))
    }

    /// Returns whether the reply to a change that was done gets lost.
    pub(crate) fn loses(&mut self, what: &str, about: &str) -> bool {
        if let Some(left) = self.knobs.lose_next.get_mut(what).filter(|left| **left > 0) {
            *left -= 1;
            return true;
        }
        self.knobs.lose_share > 0.0 && self.chance.share(&format!("lose {what} {about}")) < self.knobs.lose_share
    }

    fn living(&self, now: u64) -> impl Iterator<Item = &Object> + Clone {
        self.objects.values().filter(move |object| !object.is_gone(now))
    }

    /// Returns an object of a kind that is not gone, whether or not reads find it yet.
    fn find(&self, kind: Kind, id: &str, now: u64) -> Result<&Object, Problem> {
        let found = self.objects.get(id).filter(|object| object.kind == kind && !object.is_gone(now));
        found.ok_or_else(|| Problem::not_found(format!("there is no {} `{id}`", kind.spec().name)))
    }

    fn keep(&mut self, object: Object) -> Result<Value, Problem> {
        self.log.put(&object).map_err(unwritten)?;
        let view = object.view(now());
        self.objects.insert(object.id.clone(), object);
        Ok(view)
    }

    pub(crate) fn create(&mut self, kind: Kind, body: &Value) -> Answer {
        let (spec, now) = (kind.spec(), now());
        let asked = rules::sort(kind, &body["properties"])?;
        let token = body["token"].as_str().filter(|_| spec.takes_token).map(str::to_owned);
        let asked_digest = asked.digest();
        if let Some(token) = &token
            && let Some(made) =
                self.objects.values().find(|object| object.kind == kind && object.token.as_ref() == Some(token))
        {
            if made.is_gone(now) || made.deleted_at_ms.is_some() {
                return Err(Problem::token_reused(format!("the token made `{}`, which was deleted", made.id)));
            }
            if made.asked_digest != asked_digest {
                return Err(Problem::token_reused(format!("the token made `{}` with other properties", made.id)));
            }
            return Ok((200, made.view(now)));
        }
        rules::check_complete(kind, &asked)?;
        let name = asked.plain.get("name").and_then(Value::as_str).unwrap_or_default();
        if self.knobs.refuse_names.iter().any(|refused| refused == name) {
            return Err(Problem::failed(format!("no {} of this name can be made", spec.name)));
        }
        let is_broken = self.knobs.break_names.iter().any(|broken| broken == name);
        self.check_references(kind, &asked.plain, now)?;
        self.check_unique(kind, &asked.plain, now)?;
        rules::check(kind, &asked.plain, None, self.living(now))?;
        let line = self.check_paid(kind, body, now)?;
        // What tells this create from others, whatever the order of requests: its token, its owner or its names.
        let owner = asked.plain.get("tags").map(Value::to_string).unwrap_or_default();
        let identity = token.clone().unwrap_or_else(|| format!("{owner} {asked_digest}"));
        let number = self.chance.next(&format!("id {kind:?} {identity}")) & 0xffff_ffff_ffff;
        let mut id = format!("{}-{number:012x}", spec.prefix);
        while self.objects.contains_key(&id) {
            id = format!("{}-{:012x}", spec.prefix, self.chance.next(&id) & 0xffff_ffff_ffff);
        }
        let mut object = Object::new(id, kind, token, asked.plain, now);
        rules::fill(kind, &mut object.properties);
        object.secrets = asked.secrets;
        object.asked_digest = asked_digest;
        object.is_broken = is_broken;
        object.visible_at_ms = now + self.knobs.lag_ms;
        object.ready_at_ms = now + self.knobs.start_ms * spec.start_share / 100;
        rules::choose(&mut object, &self.chance);
        let id = object.id.clone();
        let view = self.keep(object)?;
        if let Some((token, idx)) = line {
            self.mend(&token, |order| {
                if let Some(line) = order.lines.get_mut(idx) {
                    line.used_by = Some(id);
                }
                Ok(())
            })?;
        }
        Ok((if spec.is_asynchronous { 202 } else { 201 }, view))
    }

    /// Checks that everything that is named exists and will go on to. Strict: what is not readable yet counts.
    fn check_references(&self, kind: Kind, properties: &Map<String, Value>, now: u64) -> Result<(), Problem> {
        for property in kind.spec().properties {
            let Some(target) = property.refers else { continue };
            for id in rules::named(properties, property) {
                let found = self.find(target, id, now).ok().filter(|object| object.deleted_at_ms.is_none());
                if found.is_none() {
                    let message =
                        format!("`{}` names a {} `{id}`, which does not exist", property.name, target.spec().name);
                    return Err(Problem::missing(message));
                }
            }
        }
        Ok(())
    }

    fn check_unique(&self, kind: Kind, properties: &Map<String, Value>, now: u64) -> Result<(), Problem> {
        let unique = kind.spec().unique;
        let is_alike = |other: &Object| unique.iter().all(|name| other.properties.get(*name) == properties.get(*name));
        let mut alike = self.living(now).filter(|other| other.kind == kind && is_alike(other));
        match alike.next().filter(|_| !unique.is_empty()) {
            Some(_) => Err(Problem::duplicate(format!(
                "there is a {} with the same {}",
                kind.spec().name,
                unique.join(" and ")
            ))),
            None => Ok(()),
        }
    }

    pub(crate) fn read(&self, kind: Kind, id: &str) -> Answer {
        let now = now();
        let object = self.find(kind, id, now)?;
        match object.is_readable(now) {
            true => Ok((200, object.view(now))),
            false => Err(Problem::not_found(format!("there is no {} `{id}`", kind.spec().name))),
        }
    }

    /// Lists what reads find. Every filter names a property, `token`, or `tag.KEY`.
    pub(crate) fn list(&self, kind: Kind, filters: &[(String, String)]) -> Answer {
        let now = now();
        let fits = |object: &Object| {
            filters.iter().all(|(name, wanted)| {
                let tag =
                    name.strip_prefix("tag.").map(|key| object.properties.get("tags").and_then(|tags| tags.get(key)));
                match (tag, name.as_str()) {
                    (Some(value), _) => value.and_then(Value::as_str) == Some(wanted),
                    (None, "token") => object.token.as_ref() == Some(wanted),
                    (None, name) => object.text(name) == Some(wanted),
                }
            })
        };
        let items = self.living(now).filter(|object| object.kind == kind && object.is_readable(now) && fits(object));
        Ok((200, json!({ "items": items.map(|object| object.view(now)).collect::<Vec<_>>() })))
    }

    pub(crate) fn update(&mut self, kind: Kind, id: &str, body: &Value) -> Answer {
        let (spec, now) = (kind.spec(), now());
        let mut object = self.find(kind, id, now)?.clone();
        if object.deleted_at_ms.is_some() {
            return Err(Problem::in_use(format!("`{id}` is being deleted")));
        }
        let asked = rules::sort(kind, &body["properties"])?;
        let mut is_changed = false;
        for property in spec.properties.iter().filter(|property| property.shape != Shape::Secret) {
            // What is not mentioned stays; null takes away.
            if body["properties"].get(property.name).is_none() {
                continue;
            }
            let value = asked.plain.get(property.name);
            // Nothing of a list is as good as an empty one.
            if value.is_none() && object.properties.get(property.name).is_some_and(is_empty) {
                continue;
            }
            if value == object.properties.get(property.name) {
                continue;
            }
            if !property.is_mutable || (property.is_required && value.is_none()) {
                return Err(Problem::invalid(format!("`{}` of a {} cannot be changed", property.name, spec.name)));
            }
            is_changed |= property.name != "tags" && property.name != "name";
            match value {
                Some(value) => object.properties.insert(property.name.to_owned(), value.clone()),
                None => object.properties.remove(property.name),
            };
        }
        rules::fill(kind, &mut object.properties);
        object.secrets.extend(asked.secrets);
        rules::check_change(self.find(kind, id, now)?, &object.properties)?;
        self.check_references(kind, &object.properties, now)?;
        rules::check(kind, &object.properties, Some(id), self.living(now))?;
        object.change_count += 1;
        if is_changed && spec.is_machine {
            object.ready_at_ms = now + self.knobs.start_ms * spec.start_share / 100;
        }
        Ok((200, self.keep(object)?))
    }

    pub(crate) fn delete(&mut self, kind: Kind, id: &str) -> Answer {
        let (spec, now) = (kind.spec(), now());
        let mut object = self.find(kind, id, now)?.clone();
        if object.deleted_at_ms.is_some() {
            return Ok((202, object.view(now)));
        }
        let names_it = |other: &&Object| {
            let properties = other.kind.spec().properties.iter().filter(|property| property.refers == Some(kind));
            properties.into_iter().any(|property| rules::named(&other.properties, property).contains(&id))
        };
        if let Some(user) = self.living(now).find(names_it) {
            let message = format!("the {} `{id}` is used by the {} `{}`", spec.name, user.kind.spec().name, user.id);
            return Err(Problem::in_use(message));
        }
        object.deleted_at_ms = Some(now);
        let takes = if spec.is_machine { self.knobs.start_ms * spec.start_share / 200 } else { 0 };
        object.gone_at_ms = Some(now + takes);
        let view = self.keep(object)?;
        Ok((if takes > 0 { 202 } else { 200 }, view))
    }

    pub(crate) fn operation(&self, id: &str) -> Answer {
        let now = now();
        let made = id.strip_prefix("op-").and_then(|id| self.objects.get(id));
        let Some(made) = made.filter(|made| made.operation().as_deref() == Some(id)) else {
            return Err(Problem::not_found(format!("there is no operation `{id}`")));
        };
        let spec = made.kind.spec();
        let status = match made.state(now) {
            state if state == spec.beginning => "running",
            state if state == spec.working => "done",
            _ => "failed",
        };
        Ok((200, json!({ "id": id, "object_id": made.id, "status": status })))
    }

    /// Returns everything that ever was, how often what was called, and how far changes got.
    pub(crate) fn history(&self, changes: Value) -> Value {
        let now = now();
        let objects: Vec<_> = self.objects.values().map(|object| object.history(now)).collect();
        let orders: Vec<_> = self.orders.values().map(|order| order.view(now)).collect();
        json!({ "objects": objects, "orders": orders, "calls": self.calls, "changes": changes })
    }

    fn learn(&mut self, order: Order) {
        for (idx, line) in order.lines.iter().enumerate() {
            self.lines.insert(line.id.clone(), (order.token.clone(), idx));
        }
        self.orders.insert(order.token.clone(), order);
    }

    /// Changes an order; what is not written is not changed.
    fn mend<T>(&mut self, token: &str, change: impl FnOnce(&mut Order) -> Result<T, Problem>) -> Result<T, Problem> {
        let Some(order) = self.orders.get(token) else { return Err(Problem::not_found("there is no such order")) };
        let mut order = order.clone();
        let done = change(&mut order)?;
        self.log.put(&order).map_err(unwritten)?;
        self.learn(order);
        Ok(done)
    }

    /// Returns the order line that pays for what is to be made, where it has to be paid.
    fn check_paid(&self, kind: Kind, body: &Value, now: u64) -> Result<Option<(String, usize)>, Problem> {
        if !self.knobs.sells || !price::is_sold(kind) {
            return Ok(None);
        }
        let name = kind.spec().name;
        let place = body["order_line"].as_str().and_then(|line| self.lines.get(line));
        let Some((token, idx)) = place else {
            return Err(Problem::unpaid(format!("a {name} has to be ordered and paid first")));
        };
        let order = self.orders.get(token).filter(|order| order.line_status(*idx, now) == "delivered");
        let line = order.and_then(|order| order.lines.get(*idx)).filter(|line| line.kind == kind);
        let is_free = |user: &String| self.objects.get(user).is_none_or(|object| object.is_gone(now));
        match line {
            Some(line) if line.used_by.as_ref().is_none_or(is_free) => Ok(Some((token.clone(), *idx))),
            Some(_) => Err(Problem::unpaid("the order line pays for something else already")),
            None => Err(Problem::unpaid(format!("the order line is no {name} that was paid and delivered"))),
        }
    }

    pub(crate) fn quote(&self, body: &Value) -> Answer {
        price::quote(&self.chance, body)
    }

    pub(crate) fn place(&mut self, body: &Value) -> Answer {
        let now = now();
        let order = shop::place(&self.chance, &self.knobs, body, now)?;
        if let Some(known) = self.orders.get(&order.token) {
            return Ok((200, known.view(now)));
        }
        self.log.put(&order).map_err(unwritten)?;
        let view = order.view(now);
        self.learn(order);
        Ok((201, view))
    }

    pub(crate) fn orders(&self, filters: &[(String, String)]) -> Answer {
        let now = now();
        let token = filters.iter().find(|(name, _)| name == "token").map(|(_, token)| token);
        let found: Vec<_> = match token {
            Some(token) => self.orders.get(token).into_iter().map(|order| order.view(now)).collect(),
            None => self.orders.values().map(|order| order.view(now)).collect(),
        };
        Ok((200, json!({ "items": found })))
    }

    /// Pays an order, or takes it back.
    pub(crate) fn conclude(&mut self, id: &str, is_paid: bool) -> Answer {
        let now = now();
        let knobs = self.knobs.clone();
        let token = self.orders.values().find(|order| order.id == id).map(|order| order.token.clone());
        let token = token.unwrap_or_default();
        let view = self.mend(&token, |order| {
            match is_paid {
                true => shop::pay(order, &knobs, now)?,
                false => shop::cancel(order, now),
            }
            Ok(order.view(now))
        })?;
        Ok((200, view))
    }

    pub(crate) fn refund(&mut self, line: &str) -> Answer {
        let now = now();
        let Some((token, idx)) = self.lines.get(line).cloned() else {
            return Err(Problem::not_found("there is no such order line"));
        };
        let known = self.orders.get(&token).and_then(|order| order.lines.get(idx));
        let user = known.and_then(|line| line.used_by.as_ref()).and_then(|user| self.objects.get(user));
        if let Some(user) = user.filter(|user| !user.is_gone(now)) {
            return Err(Problem::in_use(format!("the order line pays for `{}`, which is there", user.id)));
        }
        self.mend(&token, |order| shop::refund(order, idx))
    }
}
