use super::{
    fixture::{Bench, wrong},
    harness::{CaseResult, Stop, ensure},
};
use crate::value::Type;

pub(super) async fn schema(bench: &Bench<'_>) -> CaseResult {
    bench.schema.check().map_err(|error| Stop::Wrong(format!("the schema is unsound: {error}")))?;
    let again = bench.resource.schema();
    ensure(*again == *bench.schema, || "`schema` is another one the second time".to_owned())?;
    ensure(matches!(bench.schema.block.implied_type(), Type::Object(_)), || "the schema is no object".to_owned())
}

pub(super) async fn create(bench: &Bench<'_>) -> CaseResult {
    let before = bench.count().await;
    let thing = bench.thing();
    let object = bench.create(&thing).await?;
    bench.counts(before, 1).await?;
    bench.reads_as(&thing, &object).await?;
    bench.reads_as(&thing, &object).await?;
    bench.clear(&thing, &object).await?;
    bench.counts(before, 0).await
}

pub(super) async fn nothing_to_do(bench: &Bench<'_>) -> CaseResult {
    let thing = bench.thing();
    let object = bench.create(&thing).await?;
    let planned = bench.plan(&thing, Some(&object), &thing.config).await?;
    let planned = bench.schema.strip_write_only(&planned);
    let same = planned.same(&bench.attributes("create", &object)?);
    bench.clear(&thing, &object).await?;
    ensure(same, || "a second plan of the same template has something to do".to_owned())
}

pub(super) async fn update(bench: &Bench<'_>) -> CaseResult {
    let thing = bench.thing();
    let changed = bench.harness.changed(thing.number).ok_or(Stop::Skip("nothing is changed in place"))?;
    let before = bench.count().await;
    let object = bench.create(&thing).await?;
    let planned = bench.plan(&thing, Some(&object), &changed).await?;
    ensure(!planned.same(&object.attributes), || "the change changes nothing".to_owned())?;
    let outcome = bench.within("update", bench.resource.update(&thing.ctx, &object, planned.clone())).await?;
    let mut after = bench.complete("update", outcome)?;
    if after.id.is_empty() {
        after.id.clone_from(&object.id);
    }
    ensure(after.id == object.id, || "`update` answered with another id".to_owned())?;
    bench.fits("update", &planned, &after)?;
    let after = bench.ready(&thing, after).await?;
    bench.reads_as(&thing, &after).await?;
    bench.counts(before, 1).await?;
    bench.delete(&thing, &after).await?;
    bench.counts(before, 0).await
}

pub(super) async fn delete(bench: &Bench<'_>) -> CaseResult {
    let before = bench.count().await;
    let (kept, thing) = (bench.thing(), bench.thing());
    let other = bench.create(&kept).await?;
    let object = bench.create(&thing).await?;
    bench.delete(&thing, &object).await?;
    bench.counts(before, 1).await?;
    let gone = bench.read(&thing, &object).await?;
    ensure(gone.is_none() || bench.harness.is_value(), || "`read` finds what was deleted".to_owned())?;
    // What is gone is removed well.
    bench.delete(&thing, &object).await?;
    bench.reads_as(&kept, &other).await?;
    bench.clear(&kept, &other).await?;
    bench.counts(before, 0).await
}

pub(super) async fn import(bench: &Bench<'_>) -> CaseResult {
    let thing = bench.thing();
    let object = bench.create(&thing).await?;
    let found = match bench.harness.import_id(&object) {
        Some(id) => bench.within("import", bench.resource.import(&thing.ctx, &id)).await?,
        None => Ok(None),
    };
    let skip = match &found {
        Err(error) if error.code() == "resource.import_unsupported" => true,
        _ => bench.harness.import_id(&object).is_none(),
    };
    if skip {
        bench.clear(&thing, &object).await?;
        return Err(Stop::Skip("it cannot be imported"));
    }
    let found = found.map_err(|error| wrong("import", &error))?;
    let found = found.ok_or_else(|| Stop::Wrong("`import` does not find what was made".to_owned()))?;
    ensure(found.id == object.id, || "`import` answered with another id".to_owned())?;
    bench.attributes("import", &found)?;
    // What import does not know, a read may; then what was adopted is as what was made, but for what only a template says.
    let read = bench.read(&thing, &found).await?;
    let read = read.ok_or_else(|| Stop::Wrong("`read` does not find what was imported".to_owned()))?;
    let (adopted, made) = (bench.attributes("read", &read)?, bench.attributes("create", &object)?);
    for (name, made) in made.entries() {
        let adopted = adopted.attribute(name);
        let is = adopted.is_some_and(|adopted| adopted.is_null() || adopted.same(made));
        ensure(is, || format!("what was imported has another `{name}` than what was made"))?;
    }
    bench.clear(&thing, &object).await
}

pub(super) async fn import_missing(bench: &Bench<'_>) -> CaseResult {
    let id = bench.harness.missing_id().ok_or(Stop::Skip("no id is known that nothing has"))?;
    let thing = bench.thing();
    match bench.within("import", bench.resource.import(&thing.ctx, &id)).await? {
        Err(error) if error.code() == "resource.import_unsupported" => Err(Stop::Skip("it cannot be imported")),
        Err(error) => Err(wrong("import", &error)),
        Ok(Some(_)) => Err(Stop::Wrong("`import` finds what is not there".to_owned())),
        Ok(None) => Ok(()),
    }
}
