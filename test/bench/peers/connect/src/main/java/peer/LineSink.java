package peer;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.sink.SinkConnector;

/** Stands in for a connector that is not there: each record is a line of a file. Shows that the worker runs and that nothing is lost or doubled. */
public final class LineSink extends SinkConnector {
  static final String FILE = "file";
  private String file;

  @Override
  public void start(Map<String, String> settings) {
    file = settings.get(FILE);
  }

  @Override
  public Class<? extends Task> taskClass() {
    return LineTask.class;
  }

  @Override
  public List<Map<String, String>> taskConfigs(int tasks) {
    return Collections.nCopies(tasks, Map.of(FILE, file));
  }

  @Override
  public void stop() {}

  @Override
  public ConfigDef config() {
    return new ConfigDef().define(FILE, ConfigDef.Type.STRING, ConfigDef.Importance.HIGH, "To be appended to.");
  }

  @Override
  public String version() {
    return "1";
  }
}
