// Plain Java: records for what templates say, futures for what takes time.

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import stackwright.Context;
import stackwright.Engine;
import stackwright.EngineOptions;
import stackwright.Existing;
import stackwright.ForceNew;
import stackwright.FutureResource;
import stackwright.Seen;
import stackwright.Template;

class FuturesTest {
  record Inputs(@ForceNew String name, Integer size) {}

  record Outputs(String id, String bucketUrl) {}

  static final class Bucket extends FutureResource<Inputs, Outputs> {
    final Map<String, Inputs> buckets = new ConcurrentHashMap<>();

    Bucket() {
      super("acme_bucket");
    }

    @Override
    public CompletionStage<Outputs> createAsync(Context ctx, Inputs want) {
      return CompletableFuture.supplyAsync(() -> {
        buckets.put("b-" + want.name(), want);
        return new Outputs("b-" + want.name(), "https://" + want.name());
      });
    }

    @Override
    public CompletionStage<Seen<Inputs, Outputs>> readAsync(Context ctx, Existing<Inputs, Outputs> was) {
      var found = buckets.get(was.getId());
      return CompletableFuture.completedFuture(found == null ? null : new Seen<>(was.getOutputs(), found));
    }

    @Override
    public CompletionStage<Outputs> updateAsync(Context ctx, Inputs want, Existing<Inputs, Outputs> was) {
      buckets.put(was.getId(), want);
      return CompletableFuture.completedFuture(null);
    }

    @Override
    public CompletionStage<Void> deleteAsync(Context ctx, Existing<Inputs, Outputs> was) {
      buckets.remove(was.getId());
      return CompletableFuture.completedFuture(null);
    }
  }

  static Template template(int size) {
    return Template.fromMap(
        Map.of(
            "resource", Map.of("acme_bucket", Map.of("a", Map.of("name", "assets", "size", size))),
            "output", Map.of("url", Map.of("value", "${acme_bucket.a.bucket_url}"))));
  }

  @Test
  void aTypeAndARunInJava() throws Exception {
    var bucket = new Bucket();
    var options = new EngineOptions("memory:", List.of(bucket));
    try (var engine = Engine.openAsync(options).get(30, TimeUnit.SECONDS)) {
      var stack = engine.stack("acme/shop");
      var report =
          stack.planAsync(template(1))
              .thenCompose(plan -> plan.applyAsync())
              .thenCompose(run -> run.resultAsync())
              .get(30, TimeUnit.SECONDS);
      assertEquals(Map.of("url", "https://assets"), report.getOutputs());
      assertEquals(Map.of("b-assets", new Inputs("assets", 1)), bucket.buckets);

      var plan = stack.planAsync(template(2)).get(30, TimeUnit.SECONDS);
      assertEquals("update", plan.getChanges().get(0).getAction());
      plan.applyAsync().thenCompose(run -> run.resultAsync()).get(30, TimeUnit.SECONDS);
      assertEquals(2, bucket.buckets.get("b-assets").size());
      assertEquals("https://assets", stack.outputsAsync().get(30, TimeUnit.SECONDS).get("url"));

      stack.destroyAsync().thenCompose(run -> run.resultAsync()).get(30, TimeUnit.SECONDS);
      assertTrue(bucket.buckets.isEmpty());
    }
  }
}
