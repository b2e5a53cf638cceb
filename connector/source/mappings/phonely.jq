# Phonely's own fields, as an event has them: a source without a mapping takes them as they are. Start from this one for
# a custom body: what is not named below is kept under its own name, in extra.
#
# A template engine writes lists and the transcript as text; they are read here.
def parsed: . as $text | try (fromjson | if type == "array" then . else [$text] end) catch [$text];
def list: if type == "string" then parsed else . end;

. + {
  transcript: (.transcript | if type == "string" then (try fromjson catch null) else . end),
  transcriptText: (.transcriptText // (.transcript | if type == "string" and (try (fromjson | false) catch true) then . else null end)),
  keyPoints: (.keyPoints | list),
  unansweredQuestions: (.unansweredQuestions | list),
  actionItems: (.actionItems | list)
}
