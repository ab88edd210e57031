package hooktest

import "encoding/json"

// Sender is a sender of webhooks with two of its deliveries, not signed yet: one that makes an event, and one that withdraws it.
type Sender struct {
	From    string
	Secret  string
	Options map[string]string // variables of the webhook beside FROM and SECRET, without their prefix
	Order   Delivery
	Refund  Delivery
	Data    string // of the event, without "at"
	Key     string // idempotency key of the event
}

// Senders returns one of each.
func Senders() []Sender {
	return []Sender{stripe(), shopify(), woocommerce(), github(), standard(), other()}
}

// stripe follows docs.stripe.com/api/events.
func stripe() Sender {
	event := func(id, kind string, of object) Delivery {
		return Delivery{map[string]string{"Content-Type": "application/json; charset=utf-8"}, body(object{
			"id": id, "object": "event", "api_version": "2026-06-30", "created": 1795840000, "data": object{"object": of}, "livemode": true,
			"pending_webhooks": 1, "request": object{"id": nil, "idempotency_key": nil}, "type": kind,
		})}
	}
	const payment = "pi_3PqT7kLkdIwHu7ix0a1b2c3d"
	return Sender{
		From: "stripe", Secret: "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH",
		Options: map[string]string{"WHEN": "type=checkout.session.completed", "KIND": "order"},
		Order: event("evt_1PqT7mLkdIwHu7ixZ", "checkout.session.completed", object{
			"id": "cs_live_a1YS1URlnyQCN5fUUduORoQ7Pw41PJqDWkIVQCpJPqkfIhd6tVY8XB1OLY", "object": "checkout.session", "amount_total": 2198,
			"currency": "eur", "customer": nil, "customer_details": object{"address": object{"city": "Turin", "country": "IT", "line1": nil},
				"email": "ada@example.com", "name": "Ada Lovelace", "phone": nil}, "line_items": nil, "livemode": true,
			"metadata": object{"offer_name": "Spring Sale"}, "mode": "payment", "payment_intent": payment, "payment_status": "paid", "status": "complete",
		}),
		Refund: event("evt_3PqT7kLkdIwHu7ix", "charge.refunded", object{
			"id": "ch_3PqT7kLkdIwHu7ix0", "object": "charge", "amount": 2198, "amount_refunded": 2198, "description": nil, "metadata": object{},
			"billing_details": object{"email": "ada@example.com", "name": "Ada Lovelace"}, "payment_intent": payment, "refunded": true,
		}),
		Data: `{"img_path":"default","offer_name":"Spring Sale","user_name":"Ada Lovelace","place":"Turin","kind":"order"}`,
		Key:  payment,
	}
}

// shopify follows shopify.dev/docs/api/webhooks. Its ids exceed 2^53.
func shopify() Sender {
	event := func(topic string, of object) Delivery {
		return Delivery{map[string]string{"Content-Type": "application/json", "X-Shopify-Topic": topic, "X-Shopify-Shop-Domain": "shop.myshopify.com",
			"X-Shopify-API-Version": "2026-10", "X-Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"}, body(of)}
	}
	const order = "820982911946154508"
	return Sender{
		From: "shopify", Secret: "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",
		Options: map[string]string{"WHEN": "header:X-Shopify-Topic=orders/create|orders/paid, test!=true", "KIND": "order"},
		Order: event("orders/create", object{
			"id": json.Number(order), "admin_graphql_api_id": "gid://shopify/Order/" + order, "cancelled_at": nil, "currency": "EUR",
			"financial_status": "paid", "name": "#9999", "test": false, "total_price": "403.00",
			"billing_address": object{"first_name": "Steve", "city": "Turin", "country": "Italy"}, "shipping_address": nil,
			"customer":   object{"id": json.Number("115310627314723954"), "email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"},
			"line_items": list{object{"id": json.Number("866550311766439020"), "title": "Small leather tote", "quantity": 1, "price": "199.00"}},
		}),
		Refund: event("refunds/create", object{
			"id": json.Number("890088186047892319"), "order_id": json.Number(order), "note": "Things were damaged", "refund_line_items": list{},
		}),
		Data: `{"img_path":"default","offer_name":"Small leather tote","user_name":"Ada","place":"Turin","kind":"order"}`,
		Key:  order,
	}
}

// woocommerce follows woocommerce.github.io/woocommerce-rest-api-docs. Its secrets may have commas and spaces.
func woocommerce() Sender {
	event := func(topic, status string) Delivery {
		return Delivery{map[string]string{"Content-Type": "application/json", "X-WC-Webhook-Topic": topic, "X-WC-Webhook-Resource": "order",
			"X-WC-Webhook-Source": "https://shop.example.com/", "X-WC-Webhook-ID": "5", "X-WC-Webhook-Delivery-ID": "d2f9a5c0"}, body(object{
			"id": 727, "parent_id": 0, "status": status, "currency": "EUR", "number": "727", "total": "29.35", "date_paid": "2026-11-28T05:00:00",
			"billing":    object{"first_name": "Zoë", "last_name": "Doe", "city": "Orléans", "country": "FR", "email": "zoe@example.com"},
			"shipping":   object{"first_name": "", "last_name": "", "city": ""},
			"line_items": list{object{"id": 315, "name": "Woo Album #1", "product_id": 93, "quantity": 2}}, "meta_data": list{},
		})}
	}
	return Sender{
		From: "woocommerce", Secret: "c@x8,;J{ 6Tn$*k~Z!w,R#",
		Options: map[string]string{"WHEN": "status=processing|completed", "KIND": "order"},
		Order:   event("order.created", "processing"),
		Refund:  event("order.updated", "refunded"),
		Data:    `{"img_path":"default","offer_name":"Woo Album #1","user_name":"Zoë","place":"Orléans","kind":"order"}`,
		Key:     "727",
	}
}

// github follows docs.github.com/webhooks.
func github() Sender {
	event := func(action string) Delivery {
		return Delivery{map[string]string{"Content-Type": "application/json", "X-GitHub-Event": "sponsorship", "User-Agent": "GitHub-Hookshot/044aadd",
			"X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"}, body(object{
			"action": action, "sponsorship": object{"node_id": "MDExOlNwb25zb3JzaGlwMQ==", "created_at": "2026-11-28T05:00:00+00:00", "privacy_level": "public",
				"sponsorable": object{"login": "octocat", "id": 5}, "sponsor": object{"login": "ada", "id": 2},
				"tier": object{"name": "$5 a month", "monthly_price_in_cents": 500}}, "sender": object{"login": "ada", "id": 2},
		})}
	}
	return Sender{
		From: "github", Secret: "It's a Secret to Everybody",
		Options: map[string]string{"WHEN": "sponsorship.privacy_level=public, action=created", "KIND": "sponsor"},
		Order:   event("created"),
		Refund:  event("cancelled"),
		Data:    `{"img_path":"default","offer_name":"octocat","user_name":"ada","kind":"sponsor"}`,
		Key:     "MDExOlNwb25zb3JzaGlwMQ==",
	}
}

// standard follows the examples of Standard Webhooks.
func standard() Sender {
	event := func(id, kind string) Delivery {
		return Delivery{map[string]string{"Content-Type": "application/json", "webhook-id": id}, body(object{
			"type": kind, "timestamp": "2026-11-28T05:00:00.123456Z", "data": object{"id": "sub_1f81eb52", "name": "Ada Lovelace", "product": object{"name": "Pro"}},
		})}
	}
	return Sender{
		From: "standard", Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		Options: map[string]string{"WHEN": "type=subscription.created", "RETRACT_WHEN": "type=subscription.canceled"},
		Order:   event("msg_1", "subscription.created"),
		Refund:  event("msg_2", "subscription.canceled"),
		Data:    `{"img_path":"default","offer_name":"Pro","user_name":"Ada Lovelace"}`,
		Key:     "sub_1f81eb52",
	}
}

// other is a form service of no particular maker.
func other() Sender {
	event := func(status string) Delivery {
		return Delivery{map[string]string{"Content-Type": "application/json"}, body(object{
			"entry": object{"ref": "R-17", "state": status, "answers": list{"ada@example.com", "Ada"}, "photo": "https://cdn.example.com/ada.png", "link": "/members"},
		})}
	}
	return Sender{
		From: "hmac", Secret: "shared-with-the-form",
		Options: map[string]string{"SIGNATURE": "X-Signature=sha256=hex", "USER_NAME": "entry.name|entry.answers.1", "OFFER_NAME": "text:the newsletter",
			"IMG_PATH": "entry.photo", "URL": "entry.link", "PLACE": "header:X-Region", "KIND": "newsletter", "KEY": "entry.ref", "RETRACT_WHEN": "entry.state=deleted"},
		Order:  event("new").With("X-Region", "Piedmont"),
		Refund: event("deleted"),
		Data: `{"img_path":"https://cdn.example.com/ada.png","offer_name":"the newsletter","user_name":"Ada","place":"Piedmont","url":"/members",` +
			`"kind":"newsletter"}`,
		Key: "R-17",
	}
}
