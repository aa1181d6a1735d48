package peer;

import java.io.File;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.avro.Schema;

/** The project's own schemas, as files, with their ids in the registry: `schema.<name>` is "id path". */
final class Schemas {
  /** A normalized event of any type. */
  final Typed event;
  /** The event as its topic has it, by type. */
  private final Map<String, Typed> types = new HashMap<>();

  /** A schema with its id; `from[i]` is the place in `event` of its field i. */
  record Typed(int id, Schema schema, int[] from) {}

  private Schemas(Typed event) {
    this.event = event;
  }

  static Schemas read(Properties settings) throws IOException {
    Typed event = parse(settings.getProperty("schema.event"), null);
    Schemas schemas = new Schemas(event);
    for (String name : settings.stringPropertyNames()) {
      if (!name.startsWith("schema.") || name.equals("schema.event")) continue;
      schemas.types.put(name.substring("schema.".length()), parse(settings.getProperty(name), event.schema()));
    }
    return schemas;
  }

  Typed of(String type) {
    Typed typed = types.get(type);
    if (typed == null) throw new IllegalArgumentException("no schema of type " + type);
    return typed;
  }

  private static Typed parse(String idAndPath, Schema event) throws IOException {
    String[] parts = idAndPath.split(" ", 2);
    Schema schema = new Schema.Parser().parse(new File(parts[1]));
    int[] from = new int[schema.getFields().size()];
    for (Schema.Field field : schema.getFields())
      from[field.pos()] = event == null ? field.pos() : event.getField(field.name()).pos();
    return new Typed(Integer.parseInt(parts[0]), schema, from);
  }
}
