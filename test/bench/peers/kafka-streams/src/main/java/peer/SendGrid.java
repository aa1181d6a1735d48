package peer;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.IDN;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;

/**
 * An item of SendGrid's event webhook as the project's adapter reads it: the same fields, the same identity, so the same id. Only the
 * four types that the benchmark's load has; anything else ends the run.
 */
final class SendGrid {
  private static final Map<String, String> TYPES =
      Map.of("processed", "queued", "delivered", "delivered", "open", "opened", "click", "clicked");
  private static final Set<String> ONCE = Set.of("processed", "delivered");
  private static final Set<String> OWN_NAMES = Set.of(
      ("email timestamp event sg_event_id sg_message_id smtp-id category asm_group_id reason status response attempt type"
          + " bounce_classification useragent ip url url_offset sg_machine_open marketing_campaign_id"
          + " marketing_campaign_name marketing_campaign_version marketing_campaign_split_id singlesend_id"
          + " singlesend_name mc_stats mc_auto_id mc_auto_name mc_auto_step_id mc_pod_id phase_id newsletter pool send_at"
          + " tls cert_err sg_content_type sg_template_id sg_template_name sg_user_id").split(" "));
  private static final long FUTURE_MS = 10 * 60_000L;
  private static final long AGE_MS = 400 * 86_400_000L;

  /** The request that an item came in. */
  record Origin(String requestId, String source, long receivedAt, int partition, long offset) {}

  private final Schemas.Typed schema;
  private final Map<String, Integer> places = new HashMap<>();
  private final MessageDigest sha256;

  SendGrid(Schemas schemas) {
    schema = schemas.event;
    for (Schema.Field field : schema.schema().getFields()) places.put(field.name(), field.pos());
    try {
      sha256 = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  static String key(JsonNode item) {
    String key = item.get("email").textValue().trim().toLowerCase(Locale.ROOT);
    if (isAscii(key)) return key;
    int at = key.lastIndexOf('@');
    return key.substring(0, at + 1) + IDN.toASCII(key.substring(at + 1));
  }

  Event read(JsonNode item, Origin origin, int index) {
    String vendorType = item.get("event").textValue();
    String type = TYPES.get(vendorType.toLowerCase(Locale.ROOT));
    if (type == null) throw new IllegalArgumentException("SendGrid's event " + vendorType + " is not in the benchmark");
    String key = key(item);
    String id = idOf(vendorType, type, key, item);
    Map<String, String> metadata = customArguments(item);
    GenericData.Record event = new GenericData.Record(schema.schema());
    put(event, "type", type);
    put(event, "event_id", id);
    putTime(event, item.get("timestamp").asLong() * 1000, origin.receivedAt());
    put(event, "received_at", origin.receivedAt());
    put(event, "esp", "sendgrid");
    put(event, "source", origin.source());
    put(event, "esp_event_type", vendorType);
    put(event, "esp_event_id", text(item.get("sg_event_id")));
    put(event, "esp_message_id", text(item.get("sg_message_id")));
    put(event, "message_id", withoutBrackets(text(item.get("smtp-id"))));
    put(event, "recipient", item.get("email").textValue().trim());
    put(event, "recipient_domain", key.substring(key.lastIndexOf('@') + 1));
    put(event, "campaign", metadata.get("campaign"));
    put(event, "stream", text(item.get("asm_group_id")));
    put(event, "tags", tags(item.get("category")));
    put(event, "metadata", metadata);
    put(event, "request_id", origin.requestId());
    put(event, "raw_partition", origin.partition());
    put(event, "raw_offset", origin.offset());
    put(event, "item_index", index);
    put(event, "known_as", List.of());
    putDetails(event, type, item);
    return new Event(type, id, schema, event);
  }

  private void putDetails(GenericData.Record event, String type, JsonNode item) {
    switch (type) {
      case "delivered" -> put(event, "smtp_response", text(item.get("response")));
      case "opened", "clicked" -> {
        put(event, "user_agent", text(item.get("useragent")));
        put(event, "ip", text(item.get("ip")));
        if (type.equals("clicked")) put(event, "url", text(item.get("url")));
        JsonNode machine = item.get("sg_machine_open");
        if (machine != null && !machine.isNull()) put(event, "is_machine", machine.asBoolean());
      }
      default -> {}
    }
  }

  private void putTime(GenericData.Record event, long said, long receivedAt) {
    boolean believed = said >= receivedAt - AGE_MS && said <= receivedAt + FUTURE_MS;
    if (!believed) throw new IllegalArgumentException("the benchmark's times are believed");
    put(event, "occurred_at", said);
    put(event, "occurred_at_source", "esp");
  }

  private void put(GenericData.Record event, String field, Object value) {
    event.put(places.get(field), value);
  }

  /** 32 hex digits of the SHA-256 of a JSON list: ESP, type, recipient key, and what identifies the event. */
  private String idOf(String vendorType, String type, String key, JsonNode item) {
    String vendor = vendorType.toLowerCase(Locale.ROOT);
    String sgMessageId = text(item.get("sg_message_id"));
    String message = sgMessageId != null ? sgMessageId : text(item.get("smtp-id"));
    StringBuilder list = new StringBuilder(256).append('[');
    append(list, "sendgrid");
    append(list, type);
    append(list, key);
    append(list, ONCE.contains(vendor) ? "once" : "event");
    append(list, vendor);
    append(list, message);
    if (ONCE.contains(vendor)) append(list, text(item.get("type")));
    else {
      append(list, text(item.get("timestamp")));
      append(list, text(item.get("attempt")));
      append(list, text(item.get("asm_group_id")));
      append(list, text(item.get("url")));
      append(list, null);
      append(list, text(item.get("ip")));
      append(list, text(item.get("useragent")));
    }
    list.setCharAt(list.length() - 1, ']');
    byte[] digest = sha256.digest(list.toString().getBytes(StandardCharsets.UTF_8));
    return HexFormat.of().formatHex(digest, 0, 16);
  }

  private static void append(StringBuilder list, String text) {
    if (text == null) list.append("null");
    else {
      list.append('"');
      for (int i = 0; i < text.length(); i++) {
        char c = text.charAt(i);
        if (c == '"' || c == '\\') list.append('\\');
        list.append(c);
      }
      list.append('"');
    }
    list.append(',');
  }

  private static Map<String, String> customArguments(JsonNode item) {
    Map<String, String> metadata = new LinkedHashMap<>();
    item.fields().forEachRemaining(field -> {
      if (!OWN_NAMES.contains(field.getKey())) metadata.put(field.getKey(), metadataValue(field.getValue()));
    });
    return metadata;
  }

  private static List<String> tags(JsonNode category) {
    List<String> tags = new ArrayList<>();
    if (category == null || category.isNull()) return tags;
    if (category.isArray()) for (JsonNode tag : category) tags.add(tag.asText());
    else tags.add(category.asText());
    return tags;
  }

  private static String metadataValue(JsonNode value) {
    return value.isTextual() ? value.textValue() : value.toString();
  }

  private static String text(JsonNode value) {
    return value == null || value.isNull() ? null : value.asText();
  }

  private static String withoutBrackets(String id) {
    if (id == null) return null;
    String text = id.trim();
    int from = text.startsWith("<") ? 1 : 0;
    int to = text.endsWith(">") ? text.length() - 1 : text.length();
    return text.substring(from, to);
  }

  private static boolean isAscii(String text) {
    for (int i = 0; i < text.length(); i++) if (text.charAt(i) > 0x7f) return false;
    return true;
  }
}
