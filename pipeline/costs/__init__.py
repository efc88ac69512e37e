"""What is charged: referral fees, fulfilment by Amazon, customs; exact to the cent, dated, pure.

May import: `errors` only.
"""
