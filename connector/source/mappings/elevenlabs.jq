# ElevenLabs' post_call_transcription. Its other events (post_call_audio, call_initiation_failure) make no call.
select(.type == "post_call_transcription") | .data |
(.metadata // {}) as $metadata | (.analysis // {}) as $analysis | ($metadata.phone_call // {}) as $phone |
{
  callId: .conversation_id,
  agentName: .agent_name,
  callDirection: ($phone.direction // (if $metadata.phone_call == null then "web" else null end)),
  callStarted: $metadata.start_time_unix_secs,
  callEnded: (if $metadata.call_duration_secs == null then null else $metadata.start_time_unix_secs + $metadata.call_duration_secs end),
  duration: $metadata.call_duration_secs,
  businessPhoneNumber: $phone.agent_number,
  customerPhoneNumber: $phone.external_number,
  transcript: [
    .transcript[]? | select(.message != null) |
    {role: .role, content: .message, secondsFromStart: .time_in_call_secs}
  ],
  summary: $analysis.transcript_summary,
  topic: $analysis.call_summary_title,
  ai_success: $analysis.call_successful,
  endedReason: $metadata.termination_reason,
  language: $metadata.main_language,
  dataCollection: $analysis.data_collection_results,
  evaluation: $analysis.evaluation_criteria_results
} | with_entries(select(.value != null))
