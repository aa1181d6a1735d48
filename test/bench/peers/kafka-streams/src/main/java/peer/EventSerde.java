package peer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serializer;

/** Avro's own generic reader and writer in Confluent's wire format. Encoders, decoders and buffers are used again, by thread. */
final class EventSerde implements Serde<Event> {
  private static final int PREFIX = 5;
  private final Schemas schemas;
  private final int typeAt;
  private final int idAt;

  EventSerde(Schemas schemas) {
    this.schemas = schemas;
    typeAt = schemas.event.schema().getField("type").pos();
    idAt = schemas.event.schema().getField("event_id").pos();
  }

  @Override
  public Serializer<Event> serializer() {
    ThreadLocal<Writing> writing = ThreadLocal.withInitial(Writing::new);
    return (topic, event) -> event == null ? null : writing.get().encode(event);
  }

  @Override
  public Deserializer<Event> deserializer() {
    ThreadLocal<Reading> reading = ThreadLocal.withInitial(Reading::new);
    return (topic, bytes) -> bytes == null ? null : reading.get().decode(bytes);
  }

  private static final class Writing {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream(4096);
    private final GenericDatumWriter<GenericData.Record> writer = new GenericDatumWriter<>();
    private BinaryEncoder encoder;

    byte[] encode(Event event) {
      try {
        out.reset();
        out.write(ByteBuffer.allocate(PREFIX).put((byte) 0).putInt(event.schema().id()).array());
        encoder = EncoderFactory.get().directBinaryEncoder(out, encoder);
        writer.setSchema(event.schema().schema());
        writer.write(event.fields(), encoder);
        encoder.flush();
        return out.toByteArray();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private final class Reading {
    private final GenericDatumReader<GenericData.Record> reader =
        new GenericDatumReader<>(schemas.event.schema(), schemas.event.schema(), fast());
    private BinaryDecoder decoder;

    Event decode(byte[] bytes) {
      try {
        decoder = DecoderFactory.get().binaryDecoder(bytes, PREFIX, bytes.length - PREFIX, decoder);
        GenericData.Record fields = reader.read(null, decoder);
        return new Event(fields.get(typeAt).toString(), fields.get(idAt).toString(), schemas.event, fields);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private static GenericData fast() {
    GenericData data = new GenericData();
    data.setFastReaderEnabled(true);
    return data;
  }
}
