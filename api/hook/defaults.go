package hook

import "cmp"

// defaults are the options of each sender's usual event: a paid Checkout Session of Stripe, an order of Shopify or WooCommerce, a sponsorship or
// star on GitHub, and the fields of a signup in the data of Standard Webhooks. A path cannot join two values, so a name is the first name where
// the sender has it apart.
var defaults = map[string]Options{
	"stripe": { // docs.stripe.com/api/checkout/sessions/object; a refund is a charge, which has the same payment_intent
		UserName:    "data.object.customer_details.name|data.object.billing_details.name",
		OfferName:   "data.object.metadata.offer_name|data.object.line_items.data.0.description|data.object.description",
		Place:       "data.object.customer_details.address.city",
		RetractWhen: "type=charge.refunded|checkout.session.async_payment_failed|checkout.session.expired",
		Key:         "data.object.payment_intent|data.object.id",
	},
	"shopify": { // shopify.dev/docs/api/webhooks; a refund has an id of its own, and the order's as order_id
		UserName:    "customer.first_name|billing_address.first_name|shipping_address.first_name",
		OfferName:   "line_items.0.title",
		Place:       "billing_address.city|shipping_address.city",
		RetractWhen: "header:X-Shopify-Topic=refunds/create|orders/cancelled|orders/delete",
		Key:         "order_id|id",
	},
	"woocommerce": { // woocommerce.github.io/woocommerce-rest-api-docs, order properties
		UserName:    "billing.first_name|shipping.first_name",
		OfferName:   "line_items.0.name",
		Place:       "billing.city|shipping.city",
		RetractWhen: "status=refunded|cancelled|failed",
		Key:         "id",
	},
	"github": { // docs.github.com/webhooks: sponsorship and star
		UserName:    "sponsorship.sponsor.login|sender.login",
		OfferName:   "sponsorship.sponsorable.login|repository.full_name",
		RetractWhen: "action=cancelled|deleted",
		Key:         "sponsorship.node_id|header:X-GitHub-Delivery",
	},
	"standard": { // www.standardwebhooks.com leaves the data to the sender; webhook-id is the same in a retry
		UserName:  "data.user_name|data.first_name|data.name|data.customer.first_name|data.customer.name",
		OfferName: "data.offer_name|data.product.name|data.product_name",
		ImgPath:   "data.img_path",
		Place:     "data.place",
		Key:       "data.id|header:webhook-id",
	},
}

// withDefaults returns the options with those of the sender where they are empty.
func (o Options) withDefaults() Options {
	d := defaults[o.From]
	o.UserName = cmp.Or(o.UserName, d.UserName)
	o.OfferName = cmp.Or(o.OfferName, d.OfferName)
	o.ImgPath = cmp.Or(o.ImgPath, d.ImgPath)
	o.Place = cmp.Or(o.Place, d.Place)
	o.RetractWhen = cmp.Or(o.RetractWhen, d.RetractWhen)
	o.Key = cmp.Or(o.Key, d.Key)
	return o
}
