package peer;

import java.io.FileReader;
import java.io.IOException;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;

/**
 * `java … peer.Main FILE`: the settings are Java properties, which the benchmark writes. Raw requests, normalized, repartitioned by
 * recipient, deduplicated and routed by type (stages=both); or the second half of that alone (stages=dedupe). Exactly once.
 */
public final class Main {
  public static void main(String[] args) throws Exception {
    Properties settings = new Properties();
    try (FileReader reader = new FileReader(args[0])) {
      settings.load(reader);
    }
    Schemas schemas = Schemas.read(settings);
    Progress progress = new Progress();
    KafkaStreams streams = new KafkaStreams(topology(settings, schemas, progress), streamsConfig(settings));
    streams.setUncaughtExceptionHandler(error -> {
      error.printStackTrace();
      return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    });
    CountDownLatch stopped = new CountDownLatch(1);
    streams.setStateListener((now, before) -> {
      progress.state(now.name());
      if (now == KafkaStreams.State.ERROR || now == KafkaStreams.State.NOT_RUNNING) stopped.countDown();
    });
    // Not for ever: the broker may have gone first.
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
    endWithParent();
    streams.start();
    progress.printUntil(stopped, streams);
  }

  /** Standard input ends when the benchmark does, however that comes. */
  private static void endWithParent() {
    Thread watch = new Thread(() -> {
      try {
        while (System.in.read() >= 0) continue;
      } catch (IOException ended) {
        // As good as an end.
      }
      System.exit(0);
    });
    watch.setDaemon(true);
    watch.start();
  }

  private static Topology topology(Properties settings, Schemas schemas, Progress progress) {
    StreamsBuilder builder = new StreamsBuilder();
    EventSerde serde = new EventSerde(schemas);
    int partitions = Integer.parseInt(settings.getProperty("partitions"));
    KStream<String, Event> events = settings.getProperty("stages").equals("both")
        ? builder.stream(settings.getProperty("input"), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
            .process(() -> new Normalize(schemas, progress))
            .repartition(Repartitioned.<String, Event>as("events")
                .withKeySerde(Serdes.String())
                .withValueSerde(serde)
                .withNumberOfPartitions(partitions))
        : builder.stream(settings.getProperty("input"), Consumed.with(Serdes.String(), serde));
    String prefix = settings.getProperty("output.prefix");
    events.process(Dedupe.supplier(settings, schemas, progress))
        .to((key, event, context) -> prefix + event.type(), Produced.with(Serdes.String(), serde));
    return builder.build();
  }

  private static Properties streamsConfig(Properties settings) {
    Properties config = new Properties();
    config.put(StreamsConfig.APPLICATION_ID_CONFIG, settings.getProperty("application.id"));
    config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, settings.getProperty("brokers"));
    config.put(StreamsConfig.STATE_DIR_CONFIG, settings.getProperty("state.dir"));
    config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, settings.getProperty("threads"));
    config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, settings.getProperty("commit.interval.ms"));
    config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    config.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "-1");
    // The stage's own records are not to be cached away: each id is looked up once.
    config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, "0");
    config.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    return config;
  }

  private Main() {}
}
