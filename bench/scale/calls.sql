-- Calls as a business has them: a year of days, most of them in opening hours, 50 agents, 20 topics, callers of whom some come
-- again. Rows n of {from} to {from} + {count}; {again} = 1 delivers each 33rd again an hour later, and each fourth of those has
-- another start.
INSERT INTO postcall.calls_raw (tenant, call_id, version, received_at, source, agent_name, caller_name, call_direction, call_started,
    call_ended, duration, business_phone_number, customer_phone_number, summary, long_summary, purpose, topic, topics, sentiment,
    sentiment_raw, key_points, unanswered_questions, action_items, follow_up, follow_up_raw, ai_success, ai_success_raw, ended_reason,
    recording_url, dashboard_url, turns, agent_turns, user_turns, agent_words, user_words, talk_ratio, words_per_minute,
    unanswered_count, action_item_count, hour, weekday, turn_roles, turn_words, customer_key, transforms, is_test)
WITH
    ['booking', 'billing', 'complaint', 'opening hours', 'directions', 'pricing', 'cancellation', 'reschedule', 'insurance', 'refund',
     'support', 'sales', 'spam', 'wrong number', 'emergency', 'feedback', 'delivery', 'account', 'warranty', 'other'] AS subjects,
    ['positive', 'neutral', 'negative', 'mixed', ''] AS moods,
    ['caller_hangup', 'agent_hangup', 'transfer', 'voicemail', 'error'] AS ends,
    cityHash64(n, 1) AS h1, cityHash64(n, 2) AS h2, cityHash64(n, 3) AS h3, cityHash64(n, 4) AS h4, cityHash64(n, 5) AS h5,
    {callers:UInt64} AS callers,
    least(h5 % callers, intDiv(h5, callers) % callers) AS customer,
    toDateTime64({end:String}, 3, 'UTC') - INTERVAL toInt64(1 + h1 % 365) DAY
        + INTERVAL toInt64(8 * 3600 + h2 % 18000 + h3 % 18000) SECOND AS began,
    round(20 + exp(3 + (h4 % 1000) / 400.), 1) AS took,
    toUInt32(4 + h4 % 24) AS spoken,
    subjects[1 + least(h5 % 20, intDiv(h5, 256) % 26)] AS about
SELECT 'default', lower(hex(sipHash128(n))), toUInt64(toUnixTimestamp64Micro(toDateTime64(began, 6))) + toUInt64(took * 1e6)
        + {again:UInt8} * 3600000000 AS version,
    fromUnixTimestamp64Micro(toInt64(version)), 'phonely', concat('Agent ', toString(least(h2 % 50, intDiv(h3, 128) % 60))),
    if(h3 % 3 = 0, '[PERSON_1]', ''), if(h1 % 10 < 8, 'inbound', 'outbound'),
    began - INTERVAL if({again:UInt8} = 1 AND h3 % 4 = 0, 86400, 0) SECOND AS call_started, began + INTERVAL toInt64(took) SECOND,
    if(h4 % 50 = 0, NULL, took), concat('+1202555010', toString(h5 % 10)), hex(sipHash64(customer)),
    concat('The caller asked about ', about, ' and the agent answered; case ', hex(h1), '.'),
    concat('The caller asked about ', about, ' for order ', hex(h2), '. The agent looked it up, explained what can be done, and offered ',
        hex(h3), ' as an alternative, which the caller accepted after a moment.'),
    concat('asks about ', about), about, [about], moods[1 + least(h3 % 5, intDiv(h4, 32) % 6)] AS mood, mood,
    ['point one', concat('point ', hex(h2 % 1000))],
    if(h1 % 7 = 0, [concat('Do you offer ', about, ' on day ', toString(h2 % 200), '?')], []) AS unanswered_questions,
    if(h2 % 4 = 0, [concat('call back about ', about)], []) AS action_items,
    if(h3 % 20 = 0, NULL, h3 % 5 = 0), if(h3 % 20 = 0, '', if(h3 % 5 = 0, 'yes', 'no')),
    if(h4 % 25 = 0, NULL, h4 % 10 < 8), if(h4 % 25 = 0, '', if(h4 % 10 < 8, 'true', 'false')),
    ends[1 + least(h5 % 5, intDiv(h2, 512) % 7)], concat('https://example.com/r/', hex(h1)), concat('https://example.com/d/', hex(h2)),
    spoken, intDiv(spoken + 1, 2), intDiv(spoken, 2), toUInt32(spoken * 11), toUInt32(spoken * 7), 11 / 18., spoken * 18 * 60 / took,
    length(unanswered_questions), length(action_items), toHour(call_started), toDayOfWeek(call_started),
    arrayMap(x -> if(x % 2 = 0, 'agent', 'user'), range(spoken)), arrayMap(x -> toUInt32(3 + cityHash64(h1, x) % 30), range(spoken)),
    if(h2 % 30 = 0, '', lower(hex(sipHash128(customer)))), ['redact-pii@1.2.0', 'map-topics@0.3.1'], h2 % 200 = 0
FROM (SELECT number AS n FROM numbers({from:UInt64}, {count:UInt64}) WHERE {again:UInt8} = 0 OR cityHash64(number, 9) % 33 = 0)
