"""Why the collector refuses something: a closed list of reasons, each with its HTTP status and what to do about it.

A reason's name is the code in the answer and the label in the metrics; both are stable.
"""

from enum import Enum, unique


@unique
class Reason(Enum):
    """The name is the code; the value is the status of a request that is refused for it alone, and a hint."""

    # The request
    key_missing = 401, "Send the write key as Basic user name, as ?writeKey= or as writeKey in the body."
    key_wrong = 401, "This is not the write key, or the keys sent differ; `closedloop up` prints it."
    token_wrong = 401, "This is not the admin token; `closedloop up` prints it."
    signature_wrong = 401, "No webhook-signature fits the secret, the body and a webhook-timestamp within 5 minutes."
    cross_site = 403, "Another site's page sent this form; open the page itself and try again there."
    not_found = 404, "There is nothing at this address; events go to POST /v1/events."
    method_not_allowed = 405, "Events are sent with POST."
    body_timeout = 408, "The body did not arrive within 10 seconds; send it again, or fewer events at a time."
    body_too_large = 413, "A body has at most 500 KB, before and after decompression; send fewer events at a time."
    encoding_unsupported = 415, "Send the body as it is, or with Content-Encoding: gzip."
    overloaded = 503, "Too much is under way; send the same event again after Retry-After seconds."
    log_unavailable = 503, "The event may or may not be stored; send the same event_id again after Retry-After seconds."

    # The body
    invalid_gzip = 400, "The body is not one complete gzip stream."
    invalid_utf8 = 400, "The body is not UTF-8."
    invalid_json = 400, 'The body is no JSON: an event, [event, ...] or {"batch": [event, ...]}.'
    batch_empty = 400, "The batch holds no event."
    batch_too_long = 413, "A batch has at most 500 events."

    # One event
    not_an_object = 400, "An event is a JSON object."
    event_too_large = 413, "An event has at most 32 KB of JSON."
    too_deep = 400, "Objects and arrays are nested at most 16 deep."
    nul_character = 400, "Text cannot hold the character U+0000."
    lone_surrogate = 400, "Text holds half of a surrogate pair, which is no character."
    not_finite = 400, "NaN and infinities are no JSON numbers."
    number_too_large = 400, "Numbers of 2^53 and more lose digits; send ids as strings."
    type_missing = 400, "Every event has a type, such as pageview."
    type_unknown = 400, "See the documentation for the types of events."
    type_needs_admin = 403, "This type moves money or people: send it with Authorization: Bearer <admin token>."
    url_too_long = 400, "url and referrer have at most 8 KB."
    invalid_event = 400, "Something in the event has not the kind that its type asks for."
    invalid_type = 400, "type is a string."
    invalid_event_id = 400, "event_id is a string of 1 to 128 characters."
    invalid_occurred_at = 400, "occurred_at is an RFC 3339 date-time such as 2026-03-01T09:30:00Z."
    invalid_sent_at = 400, "sent_at is an RFC 3339 date-time such as 2026-03-01T09:30:00Z."
    invalid_visitor_id = 400, "visitor_id is a string of at most 128 characters."
    invalid_email = 400, "email is a string."
    invalid_user_id = 400, "user_id is a string or a number."
    invalid_previous_id = 400, "previous_id is a string or a number."
    invalid_url = 400, "url is a string."
    invalid_referrer = 400, "referrer is a string."
    invalid_title = 400, "title is a string."
    invalid_name = 400, "name is a string."
    invalid_properties = 400, "properties is an object."
    invalid_consent = 400, 'consent is {"analytics": true or false, "marketing": true or false}.'
    invalid_form = 400, 'form is {"id", "fields": {name: value}, "email_fields": [name]}.'

    # One event of a type that needs the admin token
    invalid_provider = 400, "provider is a string of 1 to 256 characters, the CRM's name."
    invalid_deal_id = 400, "deal_id is a string of 1 to 256 characters."
    invalid_stage = 400, "stage is open, won, lost or deleted."
    invalid_amount = 400, "amount is a decimal string such as 1234.50, not negative."
    invalid_currency = 400, "currency is a code of ISO 4217 such as EUR."
    invalid_created_at = 400, "created_at is an RFC 3339 date-time, or a date."
    invalid_closed_at = 400, "closed_at is an RFC 3339 date-time, or a date."
    invalid_updated_at = 400, "updated_at is an RFC 3339 date-time, or a date."
    invalid_owner = 400, "owner is a string."
    invalid_contacts = 400, 'contacts is [{"email"?, "contact_id"?}, ...].'
    invalid_contact_id = 400, "contact_id is a string or a number."
    invalid_a = 400, "a is an identifier such as email:ann@example.org or user:42; null and the like name nobody."
    invalid_b = 400, "b is an identifier such as email:ann@example.org or user:42, another than a; null names nobody."
    invalid_undo = 400, "undo is true or false."
    invalid_channel = 400, "channel is a string."
    invalid_source = 400, "source is a string."
    invalid_medium = 400, "medium is a string."
    invalid_campaign = 400, "campaign is a string."
    invalid_date = 400, "date is a date such as 2026-03-01."
    invalid_from = 400, "from is a code of ISO 4217 such as EUR."
    invalid_to = 400, "to is a code of ISO 4217 such as EUR, and not from."
    invalid_rate = 400, "rate is a decimal string such as 1.0842, above zero."

    def __init__(self, status: int, hint: str) -> None:
        self.status = status
        self.hint = hint


class RefusedError(Exception):
    """A request or an event is refused for `reason`; `detail` says where to look, or repeats the hint."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.name}: {detail or reason.hint}")
        self.reason = reason
        self.detail = detail or reason.hint
