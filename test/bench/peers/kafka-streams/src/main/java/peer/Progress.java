package peer;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.common.Metric;
import org.apache.kafka.streams.KafkaStreams;

/** What was done so far, as a line of JSON on standard output whenever it has changed. */
final class Progress {
  private static final long EVERY_MS = 200;

  final LongAdder normalized = new LongAdder();
  final LongAdder received = new LongAdder();
  final LongAdder duplicates = new LongAdder();
  private volatile String state = "CREATED";

  void state(String now) {
    state = now;
  }

  void printUntil(CountDownLatch stopped, KafkaStreams streams) throws InterruptedException {
    String before = "";
    do {
      String line = String.format(
          "{\"state\":\"%s\",\"normalized\":%d,\"received\":%d,\"duplicates\":%d,\"commits\":%d}",
          state, normalized.sum(), received.sum(), duplicates.sum(), commits(streams));
      if (!line.equals(before)) System.out.println(line);
      before = line;
    } while (!stopped.await(EVERY_MS, TimeUnit.MILLISECONDS));
  }

  private static long commits(KafkaStreams streams) {
    double sum = 0;
    for (Metric metric : streams.metrics().values())
      if (metric.metricName().name().equals("commit-total")
          && metric.metricName().group().equals("stream-thread-metrics")) sum += (double) metric.metricValue();
    return (long) sum;
  }
}
