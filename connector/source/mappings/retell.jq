# Retell's call_analyzed, which comes once the analysis is there. Its other events (call_started, call_ended, ...) make
# no call: the analysis would be missing.
select(.event == "call_analyzed") | .call | (.call_analysis // {}) as $analysis |
(if .direction == "outbound" then {business: .from_number, customer: .to_number} else {business: .to_number, customer: .from_number} end) as $numbers |
{
  callId: .call_id,
  agentName: .agent_name,
  callDirection: (.direction // (if .call_type == "web_call" then "web" else null end)),
  callStarted: .start_timestamp,
  callEnded: .end_timestamp,
  duration: (if .duration_ms == null then null else .duration_ms / 1000 end),
  businessPhoneNumber: $numbers.business,
  customerPhoneNumber: $numbers.customer,
  transcript: [.transcript_object[]? | {role: .role, content: .content}],
  transcriptText: (if (.transcript_object // []) == [] then .transcript else null end),
  summary: $analysis.call_summary,
  sentiment: $analysis.user_sentiment,
  ai_success: $analysis.call_successful,
  recordingUrl: .recording_url,
  dashboardUrl: .public_log_url,
  endedReason: .disconnection_reason,
  inVoicemail: $analysis.in_voicemail,
  customAnalysis: $analysis.custom_analysis_data,
  metadata: .metadata
} | with_entries(select(.value != null))
