package stackwright

import java.util.concurrent.CompletionStage
import kotlinx.coroutines.future.await

/**
 * A [Resource] for Java: verbs return futures. A verb that only blocks may do so and return a completed one; it runs on the
 * engine's dispatcher.
 */
abstract class FutureResource<I : Any, O : Any>(type: String) : Resource<I, O>(type) {
    abstract fun createAsync(ctx: Context, want: I): CompletionStage<O>

    abstract fun readAsync(ctx: Context, was: Existing<I, O>): CompletionStage<Seen<I, O>?>

    open fun updateAsync(ctx: Context, want: I, was: Existing<I, O>): CompletionStage<O?> = throw UnsupportedOperationException()

    abstract fun deleteAsync(ctx: Context, was: Existing<I, O>): CompletionStage<Void?>

    open fun adoptAsync(ctx: Context, id: String): CompletionStage<Seen<I, O>?> = throw UnsupportedOperationException()

    open fun recoverAsync(ctx: Context, lost: Lost<I, O>): CompletionStage<Recovery<I, O>> = throw UnsupportedOperationException()

    final override suspend fun create(ctx: Context, want: I): O = createAsync(ctx, want).await()

    final override suspend fun read(ctx: Context, was: Existing<I, O>): Seen<I, O>? = readAsync(ctx, was).await()

    final override suspend fun update(ctx: Context, want: I, was: Existing<I, O>): O? = updateAsync(ctx, want, was).await()

    final override suspend fun delete(ctx: Context, was: Existing<I, O>) {
        deleteAsync(ctx, was).await()
    }

    final override suspend fun adopt(ctx: Context, id: String): Seen<I, O>? = adoptAsync(ctx, id).await()

    final override suspend fun recover(ctx: Context, lost: Lost<I, O>): Recovery<I, O> = recoverAsync(ctx, lost).await()
}
