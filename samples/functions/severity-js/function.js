// Grades a sensor reading by its temperature: the reading leaves on `ok` with a `severity`.
//
// Setting `thresholds`: a JSON object, by default {"warning": 60, "critical": 80}, in degrees
// Celsius. A reading that cannot be true is invalid, and so goes to the dead letters.

import { get } from 'flow:function/config@0.1.0';
import { log } from 'flow:function/logging@0.1.0';
import { emit } from 'flow:function/output@0.1.0';

const ABSOLUTE_ZERO = -273.15;

// Read once an instance: settings do not change under it.
let thresholds;

export function handle(event, port) {
  try {
    thresholds ??= readThresholds();
    const reading = readReading(event.data);
    const severity = grade(reading.celsius);
    if (severity === 'critical') {
      log('warn', `${reading.sensor} is at ${reading.celsius} degrees`, [['event', event.id]]);
    }
    emit('ok', {
      ...event,
      id: '', // the host derives one, so that a retry gives the same
      type: 'reading.graded',
      datacontenttype: 'application/json',
      data: { tag: 'json', val: JSON.stringify({ ...reading, severity }) },
    });
  } catch (error) {
    // What is thrown with a tag is an answer. Anything else is a fault of ours, and would end the
    // instance without a word if it left this function.
    throw error?.tag ? error : { tag: 'fatal', val: `${error}\n${error?.stack ?? ''}` };
  }
}

function grade(celsius) {
  if (celsius >= thresholds.critical) return 'critical';
  if (celsius >= thresholds.warning) return 'warning';
  return 'normal';
}

function readReading(data) {
  if (data.tag !== 'json') throw invalid('payload is not json; send the reading as a json object');
  let reading;
  try {
    reading = JSON.parse(data.val);
  } catch (error) {
    throw invalid(`payload is not json: ${error.message}`);
  }
  if (typeof reading?.sensor !== 'string' || reading.sensor === '') throw invalid('sensor is missing');
  if (!Number.isFinite(reading.celsius)) throw invalid(`celsius of ${reading.sensor} is not a number`);
  if (reading.celsius < ABSOLUTE_ZERO) {
    throw invalid(`${reading.sensor} is at ${reading.celsius} degrees, below absolute zero`);
  }
  return reading;
}

function readThresholds() {
  const text = get('thresholds');
  if (text == null) return { warning: 60, critical: 80 };
  try {
    const { warning, critical } = JSON.parse(text);
    if (warning < critical) return { warning, critical };
  } catch {
    // Falls through: the message is the same.
  }
  throw { tag: 'fatal', val: 'setting `thresholds` needs numbers `warning` < `critical`' };
}

function invalid(reason) {
  return { tag: 'invalid', val: reason };
}
