# Vapi's end-of-call-report. Its other messages (status-update, transcript, ...) make no call.
def text: if . == null then null elif type == "string" then . else tojson end;

.message | select(.type == "end-of-call-report") |
(.artifact // {}) as $artifact | (.analysis // {}) as $analysis | (.call // {}) as $call |
{
  callId: $call.id,
  agentName: (.assistant.name // $call.assistant.name),
  callerName: (.customer.name // $call.customer.name),
  callDirection: ({"inboundPhoneCall": "inbound", "outboundPhoneCall": "outbound", "webCall": "web"}[$call.type // ""] // $call.type),
  callStarted: (.startedAt // $call.startedAt // $call.createdAt),
  callEnded: (.endedAt // $call.endedAt),
  businessPhoneNumber: (.phoneNumber.number // $call.phoneNumber.number),
  customerPhoneNumber: (.customer.number // $call.customer.number),
  mentionedEmail: (.customer.email // $call.customer.email),
  transcript: [
    $artifact.messages[]? | select(.role == "bot" or .role == "user") |
    {role: ({"bot": "agent"}[.role] // .role), content: .message, secondsFromStart: .secondsFromStart}
  ],
  transcriptText: (if ($artifact.messages // []) == [] then $artifact.transcript else null end),
  summary: $analysis.summary,
  ai_success: $analysis.successEvaluation,
  recordingUrl: ($artifact.recordingUrl // $artifact.recording.mono.combinedUrl),
  endedReason: (.endedReason // $call.endedReason),
  cost: .cost,
  structuredData: $analysis.structuredData
} | with_entries(select(.value != null))
