package peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** One request of SendGrid → its events, keyed by recipient. */
final class Normalize extends ContextualProcessor<byte[], byte[], String, Event> {
  private static final ObjectMapper JSON = new ObjectMapper();
  private final SendGrid sendGrid;
  private final Progress progress;

  Normalize(Schemas schemas, Progress progress) {
    this.sendGrid = new SendGrid(schemas);
    this.progress = progress;
  }

  @Override
  public void process(Record<byte[], byte[]> record) {
    RecordMetadata place = context().recordMetadata().orElseThrow();
    try {
      JsonNode request = JSON.readTree(header(record, "request"));
      SendGrid.Origin origin = new SendGrid.Origin(
          new String(header(record, "request-id"), StandardCharsets.UTF_8),
          new String(header(record, "source"), StandardCharsets.UTF_8),
          request.get("receivedAt").asLong(), place.partition(), place.offset());
      int index = 0;
      for (JsonNode item : JSON.readTree(record.value())) {
        Event event = sendGrid.read(item, origin, index++);
        // Without the headers of the request, which would be written with each event.
        context().forward(new Record<>(SendGrid.key(item), event, record.timestamp()));
      }
      progress.normalized.add(index);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] header(Record<byte[], byte[]> record, String name) {
    return record.headers().lastHeader(name).value();
  }
}
