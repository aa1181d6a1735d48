package peer;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.Map;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.sink.SinkTask;

/** A write for each batch: writes that append do not get into one another, so several tasks may share the file. */
public final class LineTask extends SinkTask {
  private Path file;

  @Override
  public void start(Map<String, String> settings) {
    file = Path.of(settings.get(LineSink.FILE));
  }

  @Override
  public void put(Collection<SinkRecord> records) {
    if (records.isEmpty()) return;
    StringBuilder lines = new StringBuilder();
    for (SinkRecord record : records) {
      Object value = record.value();
      // One that is not converted has no fields.
      if (!(value instanceof Map<?, ?> fields)) throw new IllegalStateException("not an object: " + value);
      lines.append(fields.get("event_id")).append('\n');
    }
    try {
      byte[] bytes = lines.toString().getBytes(StandardCharsets.UTF_8);
      Files.write(file, bytes, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  @Override
  public void stop() {}

  @Override
  public String version() {
    return "1";
  }
}
