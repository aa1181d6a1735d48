package peer;

import java.time.Duration;
import java.util.HexFormat;
import java.util.Properties;
import java.util.Set;
import org.apache.avro.generic.GenericData;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;
import org.apache.kafka.streams.state.WindowStoreIterator;

/**
 * Drops events whose id was seen within the window, and gives the others the schema of their type. The ids are in a window store on
 * RocksDB with a changelog. store=points: an id is kept at the beginning of its half window, and asked for at three points, which is the
 * fastest way that is known to us. store=range: one range query over the window, as tutorials have it.
 */
final class Dedupe extends ContextualProcessor<String, Event, String, Event> {
  private static final String STORE = "seen";
  private static final byte[] SEEN = {1};
  private final Schemas schemas;
  private final Progress progress;
  private final long windowMs;
  private final boolean byPoints;
  private WindowStore<byte[], byte[]> seen;

  private Dedupe(Schemas schemas, Progress progress, long windowMs, boolean byPoints) {
    this.schemas = schemas;
    this.progress = progress;
    this.windowMs = windowMs;
    this.byPoints = byPoints;
  }

  static ProcessorSupplier<String, Event, String, Event> supplier(
      Properties settings, Schemas schemas, Progress progress) {
    long windowMs = Long.parseLong(settings.getProperty("window.ms"));
    boolean byPoints = settings.getProperty("store").equals("points");
    Duration retention = Duration.ofMillis(windowMs + windowMs / 2);
    StoreBuilder<WindowStore<byte[], byte[]>> store = Stores.windowStoreBuilder(
        Stores.persistentWindowStore(STORE, retention, Duration.ofMillis(windowMs), false),
        Serdes.ByteArray(),
        Serdes.ByteArray()).withCachingDisabled();
    return new ProcessorSupplier<>() {
      @Override
      public Processor<String, Event, String, Event> get() {
        return new Dedupe(schemas, progress, windowMs, byPoints);
      }

      @Override
      public Set<StoreBuilder<?>> stores() {
        return Set.of(store);
      }
    };
  }

  @Override
  public void init(ProcessorContext<String, Event> context) {
    super.init(context);
    seen = context.getStateStore(STORE);
  }

  @Override
  public void process(Record<String, Event> record) {
    Event event = record.value();
    byte[] id = HexFormat.of().parseHex(event.id());
    long now = context().currentSystemTimeMs();
    progress.received.increment();
    if (byPoints ? isSeenAtPoints(id, now) : isSeenInRange(id, now)) {
      progress.duplicates.increment();
      return;
    }
    seen.put(id, SEEN, byPoints ? pointOf(now) : now);
    context().forward(record.withValue(typed(event)));
  }

  private boolean isSeenInRange(byte[] id, long now) {
    try (WindowStoreIterator<byte[]> found = seen.fetch(id, now - windowMs, now)) {
      return found.hasNext();
    }
  }

  private boolean isSeenAtPoints(byte[] id, long now) {
    long point = pointOf(now);
    for (int back = 0; back < 3; back++) if (seen.fetch(id, point - back * (windowMs / 2)) != null) return true;
    return false;
  }

  private long pointOf(long now) {
    return now - now % (windowMs / 2);
  }

  private Event typed(Event event) {
    Schemas.Typed typed = schemas.of(event.type());
    GenericData.Record fields = new GenericData.Record(typed.schema());
    int[] from = typed.from();
    for (int i = 0; i < from.length; i++) fields.put(i, event.fields().get(from[i]));
    return new Event(event.type(), event.id(), typed, fields);
  }
}
